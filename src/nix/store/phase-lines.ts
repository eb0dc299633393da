// In stored logs the messages of stdenv to Nix stand as they are: `@nix {"action":"setPhase",...}`.

const start = Buffer.from("@nix {");
const newline = 0x0a;

/** Takes those lines out of a log, byte by byte, and leaves everything else as it is. */
export interface PhaseLineFilter {
  write(chunk: Uint8Array): Uint8Array;
  /** What was held back as the possible start of such a line. */
  end(): Uint8Array;
}

export function createPhaseLineFilter(): PhaseLineFilter {
  /** How much of `start` this line has had so far; undefined once it is known to be another line. */
  let matched: number | undefined = 0;
  let dropping = false;

  return {
    write(chunk) {
      const pieces: Uint8Array[] = [];
      let from = 0;
      const keep = (to: number): void => {
        if (to > from) pieces.push(chunk.subarray(from, to));
        from = to;
      };
      for (let at = 0; at < chunk.byteLength;) {
        if (dropping || matched === undefined) {
          const end = chunk.indexOf(newline, at);
          at = end < 0 ? chunk.byteLength : end + 1;
          if (dropping) from = at;
          if (end >= 0) [matched, dropping] = [0, false];
        } else if (chunk[at] === start[matched]) {
          keep(at);
          from = ++at;
          matched++;
          if (matched === start.byteLength) [matched, dropping] = [undefined, true];
        } else {
          keep(at);
          pieces.push(start.subarray(0, matched));
          matched = undefined;
        }
      }
      keep(chunk.byteLength);
      return Buffer.concat(pieces);
    },
    end: () => (dropping ? Buffer.alloc(0) : start.subarray(0, matched ?? 0)),
  };
}
