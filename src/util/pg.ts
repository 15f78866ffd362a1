/** In a module of its own, so that the bundle knows it as one of ours, and shares what is ours with it. */
export { default as pg } from 'pg';
