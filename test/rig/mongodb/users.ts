import { UUID } from 'bson';
import { CommandError } from './errors.js';
import type { Role } from './roles.js';
import { deriveCredential, type ScramCredential } from './scram.js';
import type { Document } from './values.js';

export interface User {
  readonly id: UUID;
  readonly name: string;
  readonly db: string;
  credential: ScramCredential;
  roles: Role[];
  customData: Document | undefined;
}

/** A user belongs to the database it was made in, and stays when that is dropped. */
export class Users {
  readonly #users: Map<string, User> = new Map();

  create(db: string, name: string, password: string, roles: Role[], customData?: Document): User {
    if (this.#users.has(`${db}.${name}`)) throw new CommandError(51003, `User "${name}@${db}" already exists`);
    const user: User = { id: new UUID(), name, db, credential: deriveCredential(password), roles, customData };
    this.#users.set(`${db}.${name}`, user);
    return user;
  }

  find(db: string, name: string): User | undefined {
    return this.#users.get(`${db}.${name}`);
  }

  /** @throws CommandError UserNotFound */
  get(db: string, name: string, verb = 'Could not find user'): User {
    const user = this.find(db, name);
    if (user === undefined) throw new CommandError(11, `${verb} "${name}" for db "${db}"`);
    return user;
  }

  setPassword(user: User, password: string): void {
    user.credential = deriveCredential(password);
  }

  drop(user: User): void {
    this.#users.delete(`${user.db}.${user.name}`);
  }

  list(): User[] {
    return [...this.#users.values()];
  }

  /** False once the user was dropped, were it made again: another has the name then. */
  isCurrent(user: User): boolean {
    return this.find(user.db, user.name) === user;
  }
}

export function describeUser(user: User): Document {
  return {
    _id: `${user.db}.${user.name}`,
    userId: user.id,
    user: user.name,
    db: user.db,
    ...(user.customData === undefined ? {} : { customData: user.customData }),
    roles: user.roles.map(({ role, db }) => ({ role, db })),
    mechanisms: ['SCRAM-SHA-256'],
  };
}
