// The restore drill of docs/guides/backup.md, with every step that its log there has.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { codeBlocks, readPage } from "../support/documents.ts";

const drill = join(import.meta.dirname, "../tools/restore-drill.ts");

/** What was done, without how long it took and how large it was. */
const stepsOf = (log: string): readonly string[] =>
  log
    .trim()
    .split("\n")
    .map((line) => line.replace(/^ *[\d.]+ (?:s|MiB)/, "").trim())
    .filter((line) => line !== "");

test("an installation that is lost comes back from its backup, as docs/guides/backup.md shows", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [drill]);
  const shown = codeBlocks(readPage("docs/guides/backup.md")).find(({ text }) => text.startsWith("# Before"));
  expect(stepsOf(stdout)).toEqual(stepsOf(shown?.text ?? ""));
}, 900_000);
