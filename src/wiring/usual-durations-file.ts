import * as v from "valibot";
import { createJsonFile } from "../base/json-file.ts";
import {
  historyBounds,
  recordDuration,
  usualDuration,
  type DurationHistory,
  type UsualDurations,
} from "../builder/lanes/usual-durations.ts";

const duration = v.pipe(v.number(), v.minValue(0));

const Stored = v.pipe(
  v.array(v.tuple([v.string(), v.pipe(v.array(duration), v.maxLength(historyBounds.durations))])),
  v.maxLength(historyBounds.names),
);

/** The durations in one small file. A file that is missing or damaged only costs estimates. */
export async function createUsualDurations(path: string): Promise<UsualDurations> {
  const file = createJsonFile(path, Stored);
  const history: DurationHistory = new Map(await file.read());
  return {
    of: (derivation) => usualDuration(history, derivation),
    async learn(took) {
      for (const [derivation, milliseconds] of took) recordDuration(history, derivation, milliseconds);
      await file.write([...history].map(([name, durations]) => [name, [...durations]]));
    },
  };
}
