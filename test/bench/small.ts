/** `TENANCY_BENCH_SMALL=1` shows in a minute or two that all of it works; its figures say little, and are not written down. */
export const isSmall = process.env['TENANCY_BENCH_SMALL'] === '1';
