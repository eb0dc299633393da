// Which messages Nix said itself. A builder can print `@nix` lines as well, and Nix passes on its messages and phases.

/** What the log has said so far that tells who says the next message. */
export interface Evidence {
  /** Activities that build, as far as Nix has said that they end. */
  readonly building: number;
  /** What Nix counted last. */
  readonly running: number;
  readonly failed: number;
  readonly startedSinceCounts: boolean;
  /** Nix has just counted one more failure: it says why next. */
  readonly failureReported: boolean;
  /** The build that failed is the next one to end. */
  readonly failureCounted: boolean;
  /** Derivations that failed, of which Nix has not said why yet. */
  readonly unexplained: ReadonlySet<string>;
}

export const noEvidence: Evidence = {
  building: 0,
  running: 0,
  failed: 0,
  startedSinceCounts: false,
  failureReported: false,
  failureCounted: false,
  unexplained: new Set(),
};

export interface SaidMessage {
  readonly level: number;
  readonly text: string;
  /** It has what only Nix's own errors have. */
  readonly own: boolean;
}

/** What happens to the builds of one Nix process. */
export type Sign =
  | { readonly type: "build-started"; readonly building: number }
  | { readonly type: "build-stopped"; readonly building: number; readonly drvPath: string }
  | { readonly type: "counted"; readonly running: number; readonly failed: number }
  /** The same as the last time. */
  | { readonly type: "counted-again" }
  | { readonly type: "message"; readonly message: SaidMessage }
  /** A start of something else, a log line, a phase: what may come from a builder, or not from a failure. */
  | { readonly type: "other" };

/**
 * A message is authentic when it has `raw_msg`, which Nix adds to its own errors only. The Nix daemon passes errors
 * on without it: there a message is authentic when nothing is building that could have said it; when it comes right
 * behind an increase of the count of failed builds; or when it explains a build that ended right behind such an
 * increase. (Since 2.29 Nix reports a failure only when it comes to it, and what other builds print may stand before
 * that.)
 */
export function isAuthentic(evidence: Evidence, message: SaidMessage): boolean {
  const { building, running, startedSinceCounts, failureReported } = evidence;
  const nobodyBuilds = building === 0 || (running === 0 && !startedSinceCounts);
  return message.own || nobodyBuilds || failureReported || explains(evidence, message);
}

/** The same object when the sign says nothing new, as most do. */
export function addSign(evidence: Evidence, sign: Sign): Evidence {
  switch (sign.type) {
    case "build-started":
      return { ...evidence, building: sign.building, startedSinceCounts: true, failureReported: false };
    case "build-stopped":
      return {
        ...evidence,
        building: sign.building,
        failureCounted: false,
        unexplained: evidence.failureCounted
          ? new Set([...evidence.unexplained, sign.drvPath])
          : evidence.unexplained,
      };
    case "counted":
      return counted(evidence, sign.running, sign.failed);
    case "counted-again":
      return counted(evidence, evidence.running, evidence.failed);
    case "message":
      return explained(withoutReport(evidence), sign.message);
    case "other":
      return withoutReport(evidence);
  }
}

function counted(evidence: Evidence, running: number, failed: number): Evidence {
  const hasFailed = failed > evidence.failed;
  const isNew = running !== evidence.running || failed !== evidence.failed || evidence.startedSinceCounts;
  if (!isNew) return evidence;
  return {
    ...evidence,
    running,
    failed,
    startedSinceCounts: false,
    failureReported: hasFailed || evidence.failureReported,
    failureCounted: hasFailed || evidence.failureCounted,
  };
}

const withoutReport = (evidence: Evidence): Evidence =>
  evidence.failureReported ? { ...evidence, failureReported: false } : evidence;

/** Only once for each build: a builder that runs can say it again, and otherwise. */
function explained(evidence: Evidence, { level, text }: SaidMessage): Evidence {
  const { unexplained } = evidence;
  const drvPath = unexplained.size > 0 && level === 0 ? namedDerivation(text) : undefined;
  if (drvPath === undefined || !unexplained.has(drvPath)) return evidence;
  return { ...evidence, unexplained: new Set([...unexplained].filter((other) => other !== drvPath)) };
}

function explains({ unexplained }: Evidence, { level, text }: SaidMessage): boolean {
  if (unexplained.size === 0 || level !== 0) return false;
  const drvPath = namedDerivation(text);
  return drvPath === undefined ? unnamedTimeout.test(text) : unexplained.has(drvPath);
}

const failedDerivation = /^error: .*?(?<drvPath>\/[^'\s]+\.drv)(?![^'\s])/;
/** All that Nix says about a timeout since 2.29. Whether it can be true, the clock tells. */
const unnamedTimeout = /^error: timed out after \d+ seconds$/;

/** The derivation that an error names. */
const namedDerivation = (text: string): string | undefined =>
  failedDerivation.exec(text)?.groups?.["drvPath"];
