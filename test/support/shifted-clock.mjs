/** For `--import`: SIGUSR2 sets the clock of this process an hour on, SIGWINCH an hour back, as `date` would. */
const hourMs = 3_600_000;
const RealDate = Date;
let shiftMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shiftMs);
    else super(...args);
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
};
process.on("SIGUSR2", () => {
  shiftMs += hourMs;
});
process.on("SIGWINCH", () => {
  shiftMs -= hourMs;
});
