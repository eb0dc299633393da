// Who started a program. It is written into the program's environment, which children inherit, so that what outlives
// its owner can be told from everything else on the machine.
import { readFileSync, readlinkSync } from "node:fs";
import { parseStat, type ProcessEntry } from "./process-table.ts";

/** A process, by what no other process has: pids are used again, and every container counts its own. */
export interface Owner {
  readonly pid: number;
  /** In clock ticks since boot, as in `ProcessEntry`. */
  readonly startTime: string;
  /** The inode of its PID namespace. */
  readonly namespace: string;
}

const ownerVariable = "HOMELAB_DEPLOY_OWNER";

/** This process; undefined where /proc does not tell. */
export function readOwnIdentity(): Owner | undefined {
  try {
    const entry = parseStat(readFileSync("/proc/self/stat", "utf8"));
    const namespace = /^pid:\[(?<inode>\d+)\]$/.exec(readlinkSync("/proc/self/ns/pid"))?.groups?.["inode"];
    if (entry === undefined || namespace === undefined) return undefined;
    return { pid: entry.pid, startTime: entry.startTime, namespace };
  } catch {
    return undefined;
  }
}

/** A name for the owner that can be part of a file's name. */
export const ownerName = ({ namespace, pid, startTime }: Owner): string => `${namespace}-${pid}-${startTime}`;

export function parseOwnerName(name: string): Owner | undefined {
  const { namespace, pid, startTime } =
    /^(?<namespace>\d+)-(?<pid>\d+)-(?<startTime>\d+)$/.exec(name)?.groups ?? {};
  if (namespace === undefined || pid === undefined || startTime === undefined) return undefined;
  return { namespace, pid: Number(pid), startTime };
}

/**
 * The variable for the programs that this process runs with its state in this directory; nothing where this process
 * cannot be told from others, so that nobody takes its programs for left behind.
 */
export function ownerEnvironment(stateDirectory: string): Readonly<Record<string, string>> {
  const own = readOwnIdentity();
  return own === undefined ? {} : { [ownerVariable]: `${ownerName(own)} ${stateDirectory}` };
}

/** The owner that a process names in its environment, when it has its state in this directory. */
export function ownerIn(environment: string, stateDirectory: string): Owner | undefined {
  const prefix = `${ownerVariable}=`;
  const value = environment
    .split("\0")
    .find((line) => line.startsWith(prefix))
    ?.slice(prefix.length);
  const space = value?.indexOf(" ") ?? -1;
  if (value === undefined || space < 0 || value.slice(space + 1) !== stateDirectory) return undefined;
  return parseOwnerName(value.slice(0, space));
}

/**
 * Whether the owner has ended: another process with its pid is not it. Of one in another PID namespace nobody here can
 * tell.
 */
export const hasEnded = (owner: Owner, own: Owner, table: readonly ProcessEntry[]): boolean =>
  owner.namespace === own.namespace &&
  !table.some(({ pid, startTime }) => pid === owner.pid && startTime === owner.startTime);
