// What came of an update, as data. What people read is made from it, in report-markdown.ts and report-headline.ts.
import * as v from "valibot";
import { BranchName, Commit, RepoName } from "../../protocol/names.ts";
import { hostClasses } from "../judge/decide-classes.ts";

/** Text from outside, of any content; bounded again where it is shown. */
const Text = v.pipe(v.string(), v.maxLength(64 * 1024));
const Line = v.pipe(v.string(), v.maxLength(2_000));
const Hosts = v.array(v.pipe(v.string(), v.maxLength(256)));
const Whole = v.pipe(v.number(), v.safeInteger());
/** A page at a forge. */
const WebUrl = v.pipe(v.string(), v.regex(/^https:\/\/[A-Za-z0-9.-]+(?::\d+)?\/[A-Za-z0-9_.~/-]{1,500}$/));

const InputState = v.object({
  type: Line,
  source: Line,
  ref: v.exactOptional(Line),
  rev: v.exactOptional(Line),
  narHash: v.exactOptional(Line),
  /** Seconds since 1970. */
  lastModified: v.exactOptional(v.number()),
});

/** As `InputChange` of flake-lock-diff.ts. */
const Input = v.object({
  path: v.array(Line),
  before: v.exactOptional(InputState),
  after: v.exactOptional(InputState),
  downgraded: v.boolean(),
  compareUrl: v.exactOptional(WebUrl),
});

const HostReport = v.object({
  host: v.pipe(v.string(), v.maxLength(256)),
  class: v.picklist(hostClasses),
  /** Of a host of another repo that uses this one, whose name is then `<repo>/<host>`: whether it counts. */
  part: v.exactOptional(v.picklist(["required", "advisory"])),
  /** Milliseconds of its build. */
  durationMs: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
  /** Of its closure, compared with before. */
  sizeDelta: v.exactOptional(Whole),
  /** Parts that only change with a reboot: `kernel`, `systemd`. */
  reboot: v.array(Line),
  /** Why it does not build, in a line. */
  message: v.exactOptional(Line),
});

const RootFailure = v.object({
  /** Of the derivation without its hash, or of the host where it does not evaluate. */
  name: Line,
  drvPath: v.exactOptional(Line),
  hosts: Hosts,
  phase: v.exactOptional(Line),
  reason: Line,
  /** The end of its log. */
  tail: Text,
  /** The name of the file with the whole log. */
  attachment: v.exactOptional(Line),
  /** The input by which it came, where that was found out. */
  input: v.exactOptional(Line),
});

/** One commit of an input. */
const Revision = v.object({ rev: Commit, date: Line, subject: Line });

/** As `BisectedInput` of bisect-input.ts. */
const Bisected = v.object({
  input: Line,
  firstBad: v.exactOptional(Revision),
  lastGood: v.exactOptional(Commit),
  suspects: v.exactOptional(v.object({ count: Whole, last: Revision })),
  compareUrl: v.exactOptional(WebUrl),
  probes: Whole,
  skipped: Whole,
  note: v.exactOptional(Line),
});

/** As `MergedChange` of closure-diff.ts. */
const PackageChange = v.object({
  name: Line,
  removed: v.array(Line),
  added: v.array(Line),
  hosts: Hosts,
});

/** Why a person has to look at it although everything may build. */
export const reviewReasons = ["policy", "race", "downgrade", "lock", "refused"] as const;

export const UpdateReport = v.object({
  v: v.literal(1),
  run: v.pipe(v.string(), v.regex(/^[0-9A-Z]{26}$/)),
  repo: RepoName,
  /** The branch to land on, and the commit of it that the candidate stands on. */
  branch: BranchName,
  base: Commit,
  candidate: Commit,
  /** Where the candidate is to be found. */
  updateBranch: BranchName,
  /** One sentence. */
  verdict: Line,
  inputs: v.array(Input),
  hosts: v.array(HostReport),
  failures: v.array(RootFailure),
  /** Inputs that were out of reach, and stay as the base has them. */
  unavailable: v.array(v.object({ input: Line, reason: Line })),
  /** What is known of the revisions of guilty inputs. */
  bisected: v.array(Bisected),
  packages: v.array(PackageChange),
  /** Warnings that the base did not have. */
  warnings: v.array(v.object({ text: Line, hosts: Hosts })),
  review: v.array(
    v.object({
      reason: v.picklist(reviewReasons),
      message: Line,
      /** What to change so that the next update lands. */
      advice: v.exactOptional(Line),
    }),
  ),
  /** The update before this one. */
  previous: v.exactOptional(v.object({ run: Line, outcome: Line, base: v.exactOptional(Commit) })),
  /** Secrets that were taken out of its texts. */
  redactions: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type UpdateReport = v.InferOutput<typeof UpdateReport>;
export type RootFailure = v.InferOutput<typeof RootFailure>;
export type BisectedReport = v.InferOutput<typeof Bisected>;
export type ReportedHost = v.InferOutput<typeof HostReport>;

/** One JSON document in valid UTF-8; Gitea refuses any other. */
export const printReport = (report: UpdateReport): string =>
  `${JSON.stringify(report, (_, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value), 2)}\n`;
