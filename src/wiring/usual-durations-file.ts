import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
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
export async function createUsualDurations(file: string): Promise<UsualDurations> {
  const history: DurationHistory = new Map(await load(file));
  let writing: Promise<void> = Promise.resolve();

  async function save(): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify([...history]));
    await rename(`${file}.new`, file);
  }
  return {
    of: (derivation) => usualDuration(history, derivation),
    async learn(took) {
      for (const [derivation, milliseconds] of took) recordDuration(history, derivation, milliseconds);
      writing = writing.then(save, save);
      await writing;
    },
  };
}

async function load(file: string): Promise<v.InferOutput<typeof Stored>> {
  try {
    const parsed = v.safeParse(Stored, JSON.parse(await readFile(file, "utf8")));
    return parsed.success ? parsed.output : [];
  } catch {
    return [];
  }
}
