import { visibleText } from "../../base/markdown-text.ts";
import { createRedactor } from "../../redact/redact.ts";
import type { UpdateReport } from "./report.ts";

const lineLength = 2_000;
const tailLength = 64 * 1024;

/**
 * The report without secrets in any of its texts, and with their number. To be done before anything is made of it.
 * Texts are cut only here, after that: half a secret would not be recognised.
 */
export function redactReport(report: UpdateReport, secrets: readonly string[]): UpdateReport {
  let redactions = report.redactions;

  function redacted<Value>(value: Value, key?: string): Value;
  function redacted(value: unknown, key?: string): unknown {
    if (typeof value === "string") {
      const redactor = createRedactor(secrets);
      // As it will be seen: colours and hidden characters can stand inside a secret.
      const text = redactor.write(visibleText(value)) + redactor.end();
      redactions += redactor.redactions;
      return key === "tail" ? text.slice(-tailLength) : text.slice(0, lineLength);
    }
    if (Array.isArray(value)) return value.map((each: unknown) => redacted(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, redacted<unknown>(each, name)]),
    );
  }

  const { run, repo, branch, base, candidate, landed, updateBranch, ...texts } = report;
  // Names of ours, validated: these stay what they are.
  const ours = { run, repo, branch, base, candidate, landed, updateBranch };
  return { ...redacted(texts), ...ours, redactions };
}
