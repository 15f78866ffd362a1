import type { HomeInspection, HomeRight, StructureItem } from '../../drivers/driver.js';

/** A home that was freshly migrated, ready to be compared with many. */
export interface ReferenceStructure {
  readonly nameInText: string;
  readonly quotedName: string;
  readonly items: ReadonlyMap<string, StructureItem>;
  readonly rights: ReadonlySet<string>;
}

/** Of a definition so much is shown; of a longer one only that it is another. */
const SHOWN = 120;

export function indexStructure({ nameInText, quotedName, structure, rights }: HomeInspection): ReferenceStructure {
  return {
    nameInText,
    quotedName,
    items: new Map((structure ?? []).map((item) => [keyOf(item), item])),
    rights: new Set(rights.map(rightKey)),
  };
}

/** By this a right on one home is known again on another. */
export function rightKey({ grantee, right }: HomeRight): string {
  return JSON.stringify([grantee, right]);
}

/**
 * How a home differs from the reference, in words: `column total of table invoices is integer, expected bigint`. What is a part of something
 * that is missing, or too much, isn't named too.
 * @param isOpen things that the reference lacks are let be: hooks of the user's may have made them.
 */
export function compareStructure(home: HomeInspection, reference: ReferenceStructure, { isOpen }: { readonly isOpen: boolean }): string[] {
  const structure = home.structure ?? [];
  const there = new Map(structure.map((item) => [keyOf(item), item]));
  const owners = new Set(structure.map(ownKey));
  const differences: string[] = [];
  const expectedOwners = new Set([...reference.items.values()].map(ownKey));
  for (const [key, expected] of reference.items) {
    const found = there.get(key);
    if (found === undefined) {
      if (expected.of === null || owners.has(expected.of)) differences.push(`${describe(expected)} is missing`);
    } else if (!isSame(found.definition, expected.definition, home, reference))
      differences.push(describeChange(found, expected, home, reference));
  }
  if (isOpen) return differences;
  for (const [key, found] of there) {
    if (reference.items.has(key) || found.isImplicit) continue;
    if (found.of === null || expectedOwners.has(found.of)) differences.push(`${describe(found)} is not of the migrations`);
  }
  return differences;
}

function keyOf({ kind, name, of }: StructureItem): string {
  return JSON.stringify([kind, name, of]);
}

function ownKey({ kind, name, of }: StructureItem): string {
  return of === null ? `${kind} ${name}` : '';
}

/** The home's own name, wherever it is written, is the reference's there. */
function isSame(found: string, expected: string, home: HomeInspection, reference: ReferenceStructure): boolean {
  return found === expected || found === rename(expected, home, reference);
}

/** The reference's name is one that nothing else has, so that it may be looked for in any text. */
function rename(definition: string, home: HomeInspection, reference: ReferenceStructure): string {
  return definition.replaceAll(reference.quotedName, () => home.quotedName).replaceAll(reference.nameInText, () => home.nameInText);
}

function describe({ kind, name, of }: StructureItem): string {
  return `${kind} ${name}${of === null ? '' : ` of ${of}`}`;
}

function describeChange(found: StructureItem, expected: StructureItem, home: HomeInspection, reference: ReferenceStructure): string {
  const was = rename(expected.definition, home, reference);
  const isShort = [found.definition, was].every((text) => text.length <= SHOWN && !text.includes('\n'));
  return isShort && found.definition !== '' && was !== ''
    ? `${describe(found)} is ${found.definition}, expected ${was}`
    : `${describe(found)} has another definition than the migrations give it`;
}
