// What an update has decided and done, line by line on disk before anything depends on it. A run that was killed
// is resumed; everything that it did elsewhere is found there again, so the journal only has to hold what
// cannot be found: the frozen lock and the verdicts.
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "../base/files/make-directory.ts";
import * as v from "valibot";
import { hasCode, HomelabError } from "../base/errors.ts";
import { decodeJson } from "../base/json.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import { BranchName, BuildId, Commit, RepoName } from "../protocol/names.ts";

/** An input that could not be reached. Older journals have only its name and the reason. */
const Unreached = v.object({
  input: v.string(),
  kind: v.optional(v.picklist(["unavailable", "refused", "failed"]), "unavailable"),
  reason: v.string(),
  hint: v.optional(v.string()),
  /** Updates in a row that could not reach it, with this one. */
  runs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
  /** When the first of them began. */
  since: v.optional(v.pipe(v.string(), v.isoTimestamp())),
});

const Entry = v.variant("step", [
  v.object({
    step: v.literal("started"),
    run: v.string(),
    at: v.pipe(v.string(), v.isoTimestamp()),
    base: Commit,
    branch: BranchName,
    /** The requested inputs; all if absent. */
    inputs: v.optional(v.array(v.string())),
    /** Inputs that the runs before could not reach. */
    unreached: v.optional(v.array(Unreached)),
  }),
  /** No input could be reached: the next run queries upstream again. */
  v.object({ step: v.literal("unreached"), unavailable: v.array(Unreached) }),
  /** The one moment of upstream that this run is about: Nix's own complete update of the lock. */
  v.object({
    step: v.literal("resolved"),
    fullLock: v.pipe(v.string(), v.maxLength(4 * 1024 * 1024)),
    /** Inputs that were unreachable then. */
    unavailable: v.optional(v.array(Unreached)),
  }),
  v.object({ step: v.literal("candidate"), commit: Commit, base: Commit, inputs: v.array(v.string()) }),
  v.object({
    step: v.literal("branch-pushed"),
    branch: BranchName,
    commit: Commit,
    /** Where the branch was; `nothing` if it did not exist. */
    before: v.optional(v.union([Commit, v.literal("nothing")])),
  }),
  /** The commit at which a repo downstream stays for the whole run. */
  v.object({ step: v.literal("downstream"), repo: RepoName, commit: Commit }),
  /** A build of a candidate's hosts, or of the hosts of a repo downstream with it. */
  v.object({
    step: v.literal("build-asked"),
    commit: Commit,
    build: BuildId,
    downstream: v.optional(RepoName),
  }),
  v.object({ step: v.literal("validated"), commit: Commit, build: BuildId }),
  v.object({
    step: v.literal("landing"),
    commit: Commit,
    base: Commit,
    /** The inputs that it changes: a part of an update has fewer than the candidate. */
    inputs: v.optional(v.array(v.string())),
  }),
  v.object({ step: v.literal("landed"), commit: Commit, base: Commit }),
  v.object({ step: v.literal("proposing"), commit: Commit }),
  v.object({ step: v.literal("proposed"), commit: Commit, number: v.number(), url: v.string() }),
  v.object({ step: v.literal("announced"), outcome: v.string(), commit: v.optional(Commit) }),
  v.object({ step: v.literal("ended"), outcome: v.string() }),
]);
export type UnreachedInput = Readonly<v.InferOutput<typeof Unreached>>;
export type JournalEntry = v.InferOutput<typeof Entry>;
type EntryOf<Step extends JournalEntry["step"]> = Extract<JournalEntry, { step: Step }>;

export interface Journal {
  readonly entries: readonly JournalEntry[];
  /** The newest entry of a step in this run. */
  last<Step extends JournalEntry["step"]>(step: Step): EntryOf<Step> | undefined;
  /** On disk when it resolves. */
  append(entry: JournalEntry): Promise<void>;
  /** Begins a new run. The previous journal is kept next to it. */
  restart(): Promise<void>;
}

/**
 * A last line that a crash cut off is dropped: what it would have said was not done yet, or is found again.
 *
 * @throws HomelabError `failed` `JOURNAL_UNREADABLE`: what is not known must not be done again.
 */
export async function openJournal(file: string): Promise<Journal> {
  await makeDirectory(dirname(file), { mode: 0o700 });
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return "";
    throw new HomelabError("failed", `the journal ${file} cannot be read`, {
      code: "JOURNAL_UNREADABLE",
      hint: "check who owns it: the user that runs updates must be able to read and write it",
      cause: error,
    });
  });
  const entries = parseJournal(text);
  const sound = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  if (text !== "" && text !== sound) await replaceFile(file, sound, { flush: true });
  return {
    entries,
    last: (step) => lastOf(entries, step),
    async append(entry) {
      const handle = await open(file, "a", 0o600);
      try {
        await handle.write(`${JSON.stringify(entry)}\n`);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      entries.push(entry);
    },
    async restart() {
      await rename(file, `${file}.before`).catch(() => undefined);
      await replaceFile(file, "", { flush: true });
      entries.length = 0;
    },
  };
}

/** For a dry run: it must not be taken for the beginning of a real one. */
export function createMemoryJournal(): Journal {
  const entries: JournalEntry[] = [];
  return {
    entries,
    last: (step) => lastOf(entries, step),
    append: async (entry) => void entries.push(entry),
    restart: async () => void entries.splice(0),
  };
}

function lastOf<Step extends JournalEntry["step"]>(
  entries: readonly JournalEntry[],
  step: Step,
): EntryOf<Step> | undefined {
  const isStep = (entry: JournalEntry): entry is EntryOf<Step> => entry.step === step;
  return entries.findLast(isStep);
}

export function parseJournal(text: string): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const entry = decodeJson(Entry, line);
    if (entry === undefined) break; // nothing behind a damaged line counts
    entries.push(entry);
  }
  return entries;
}
