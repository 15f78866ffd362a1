// Preloaded (`node --import`): the wall clock of this process goes wrong by so much; the clock that only measures does not.
const shiftMs = Number(process.env.RIG_CLOCK_SHIFT_MS ?? 0);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
};
