/** Where a registry is, in words: nothing of it is secret. */
export interface RegistryPlace {
  readonly where: string;
  readonly database: string;
  readonly user: string;
}
