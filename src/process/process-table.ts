// What /proc says about the processes of this machine (proc(5)).
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The process that started its session; a child keeps it, also one whose parents are gone. */
  readonly session: number;
  /** In clock ticks since boot: together with the pid it names a process forever, pids alone are used again. */
  readonly startTime: string;
}

/** All processes that run now. Zombies are left out: nothing of them runs, and nothing can end them. */
export function readProcessTable(): readonly ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => parseStat(readOrEmpty(`/proc/${name}/stat`)))
    .filter((entry) => entry !== undefined);
}

/** One process as it is now; undefined when it is gone or a zombie. */
export const readProcess = (pid: number): ProcessEntry | undefined =>
  parseStat(readOrEmpty(`/proc/${pid}/stat`));

/** One line of /proc/<pid>/stat; undefined for a process that is gone or a zombie. */
export function parseStat(line: string): ProcessEntry | undefined {
  // The second field is the program's name in parentheses, and it may itself hold spaces and parentheses.
  const nameEnd = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  const [state, parent, , session, ...rest] = line.slice(nameEnd + 2).split(" ");
  const startTime = rest[15];
  if (nameEnd < 0 || !Number.isInteger(pid) || startTime === undefined) return undefined;
  if (state === "Z" || state === "X") return undefined;
  return { pid, parent: Number(parent), session: Number(session), startTime };
}

/**
 * The processes that belong together: of this session, known from before, or a child of such a one.
 *
 * @param known `processKey` of each that was found earlier, when its parents may still have been there
 */
export function findFamily(
  table: readonly ProcessEntry[],
  session: number,
  known: ReadonlySet<string>,
): readonly ProcessEntry[] {
  const children = Map.groupBy(table, (entry) => entry.parent);
  const family = new Set<ProcessEntry>();
  const add = (entry: ProcessEntry): void => {
    if (family.has(entry)) return;
    family.add(entry);
    children.get(entry.pid)?.forEach(add);
  };
  for (const entry of table) {
    if (entry.session === session || known.has(processKey(entry))) add(entry);
  }
  return [...family];
}

export const processKey = ({ pid, startTime }: ProcessEntry): string => `${pid}@${startTime}`;

/**
 * Whether a process works in the directory: by its current directory, or because it is one of the builds there.
 * Processes of other users cannot be read and are not ours. A process without any environment is `silent`: so is one
 * while it changes into another program, and nothing says whose it is.
 *
 * @param directory without symbolic links, as /proc shows it
 */
export function worksIn(pid: number, directory: string): "yes" | "no" | "silent" {
  if (isBelow(currentDirectory(pid), directory)) return "yes";
  const environment = readIfAllowed(`/proc/${pid}/environ`);
  if (environment === "") return "silent";
  return environment !== undefined && namesBuildIn(environment, directory) ? "yes" : "no";
}

/** Whether a process belongs to a build in the directory, by the variables that Nix gives to what it builds. */
export const buildsIn = (pid: number, directory: string): boolean =>
  namesBuildIn(readEnvironment(pid), directory);

const namesBuildIn = (environment: string, directory: string): boolean =>
  environment
    .split("\u0000")
    .some(
      (line) =>
        /^(?:NIX_BUILD_TOP|TMPDIR)=/.test(line) && isBelow(line.slice(line.indexOf("=") + 1), directory),
    );

const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** `NAME=value` with a NUL after each, as the process was started; empty where that is not ours to read. */
export const readEnvironment = (pid: number): string => readOrEmpty(`/proc/${pid}/environ`);

/** `bash`: what the kernel calls the program, at most 15 characters; empty when it is gone. */
export const programName = (pid: number): string => readOrEmpty(`/proc/${pid}/comm`).trim();

function currentDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/** A process may end between being listed and being read. */
const readOrEmpty = (path: string): string => readIfAllowed(path) ?? "";

function readIfAllowed(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
