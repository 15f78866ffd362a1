import type { CustomTypesConfig } from 'pg';

const identity = (text: string): unknown => text;

/** Of the types that our statements answer with; times are asked for as milliseconds, whatever the session's DateStyle. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't', // boolean
  20: Number, // bigint: sequences and counts, far below 2^53
  23: Number, // integer
  701: Number, // double precision
  3802: (text) => JSON.parse(text) as unknown, // jsonb
};

/** Parsers of our own: pg's are global, and the application that runs us may have changed them. */
export const types = {
  getTypeParser: (oid: number) => parsers[oid] ?? identity,
} as CustomTypesConfig;
