/** In a module of its own: a bundler can't name the exports of a CommonJS package that is imported dynamically. */
export { MigrationError, Umzug } from 'umzug';
