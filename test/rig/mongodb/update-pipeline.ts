import { CommandError } from './errors.js';
import { newScope } from './expressions.js';
import { compileStage } from './stages.js';
import { keepId, type Update } from './update.js';
import { clone, type Document, isDocument } from './values.js';

const allowed = ['$set', '$addFields', '$unset', '$project', '$replaceWith', '$replaceRoot'];

/** The stages that make one document of one. */
export function applyPipeline(stages: readonly unknown[]): Update {
  const compiled = stages.map((stage) => {
    const name = isDocument(stage) ? (Object.keys(stage)[0] ?? '') : '';
    if (!allowed.includes(name)) throw new CommandError(72, `${name} is not allowed to be used within an update`);
    return compileStage(name, (stage as Document)[name]);
  });
  return (document, context) => {
    let result = clone(document);
    for (const stage of compiled) result = stage(result, newScope(result, context.now, context.variables));
    const id = document['_id'];
    if (id !== undefined && !('_id' in result)) result = { _id: id, ...result };
    return keepId(document, result, context);
  };
}
