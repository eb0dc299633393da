// What earlier searches found out: the same update that breaks the same hosts is not taken apart again.
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../../base/files/replace-file.ts";
import { decodeJson } from "../../base/json.ts";
import { Commit, type HostName, type RepoName } from "../../protocol/names.ts";
import { cleanedJson, maxAgeMs, type KeptBuildsOptions } from "./kept-builds.ts";
import type { BisectedInput } from "../search/bisect-input.ts";

/** What was searched for. */
export interface SearchSubject {
  readonly candidate: Commit;
  readonly repo: RepoName;
  /** The hosts that break. */
  readonly hosts: readonly HostName[];
}

/** As in `Found`. */
export interface Findings {
  readonly culprits: readonly (readonly string[])[];
  readonly unproven?: string;
  readonly bisected: readonly BisectedInput[];
}

export interface KeptFindings {
  find(subject: SearchSubject): Promise<Findings | undefined>;
  /** Never fails. */
  keep(subject: SearchSubject, findings: Findings): Promise<void>;
}

const text = v.pipe(v.string(), v.maxLength(4_096));
const Revision = v.object({
  rev: Commit,
  committedAt: v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.transform((at) => new Date(at)),
  ),
  subject: text,
});
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const Document = v.object({
  v: v.literal(1),
  culprits: v.array(v.array(text)),
  unproven: v.optional(text),
  bisected: v.array(
    v.object({
      input: text,
      firstBad: v.optional(Revision),
      lastGood: v.optional(Commit),
      suspects: v.optional(v.object({ count, last: Revision })),
      compareUrl: v.optional(text),
      probes: count,
      skipped: count,
      note: v.optional(text),
    }),
  ),
});

const mostKept = 100;
const maxBytes = 1024 * 1024;

export function createKeptFindings({ directory, clean, clock, log }: KeptBuildsOptions): KeptFindings {
  return {
    async find(subject) {
      const file = join(directory, fileOf(subject));
      const status = await stat(file).catch(() => undefined);
      if (status === undefined || status.size > maxBytes) return undefined;
      if (clock.now().getTime() - status.mtimeMs >= maxAgeMs) return undefined;
      const bytes = await readFile(file).catch(() => Buffer.from(""));
      return decodeJson(Document, bytes.toString());
    },
    async keep(subject, { culprits, unproven, bisected }) {
      try {
        const document = { v: 1, culprits, unproven, bisected };
        await replaceFile(join(directory, fileOf(subject)), cleanedJson(document, clean));
        await prune(directory);
      } catch (error) {
        log.warn({ err: error }, "what was found out about an update could not be kept for the next run");
      }
    },
  };
}

const fileOf = ({ candidate, repo, hosts }: SearchSubject): string =>
  `${createHash("sha256")
    .update(JSON.stringify([candidate, repo, hosts.toSorted()]))
    .digest("hex")}.json`;

async function prune(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json"));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(directory, name))).mtimeMs })),
  );
  const old = dated.toSorted((a, b) => b.at - a.at).slice(mostKept);
  await Promise.all(old.map(async ({ name }) => rm(join(directory, name), { force: true })));
}
