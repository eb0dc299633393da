// One update of a repo at a time, over all machines: a ref of the remote that only one can create. It only saves
// work: what keeps the branch right is that it is pushed from an expected value.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import { decodeJson } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import type { Repository } from "../git/git.ts";
import type { Commit } from "../protocol/names.ts";

export const leaseRef = "refs/homelab-deploy/update-lease";

const expiryMs = 20 * 60_000;
const renewMs = 5 * 60_000;

/** The holder, as the message of the commit that the ref points to. */
const Holder = v.object({
  run: v.pipe(v.string(), v.maxLength(64)),
  machine: v.pipe(v.string(), v.maxLength(256)),
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  trigger: v.pipe(v.string(), v.maxLength(64)),
  expiresAt: v.pipe(v.string(), v.isoTimestamp()),
});
export type Holder = v.InferOutput<typeof Holder>;

export interface Lease extends AsyncDisposable {
  /** Aborts when the lease is lost to somebody else. */
  readonly lost: AbortSignal;
}

export interface LeaseOptions {
  readonly repository: Repository;
  /** Any commit of the remote: the lease's commits stand on it, so nothing else has to be sent. */
  readonly base: Commit;
  readonly self: Omit<Holder, "expiresAt">;
  readonly author: { readonly name: string; readonly email: string };
  /** Whether a process of this machine still lives. */
  readonly isAlive: (pid: number) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws HomelabError `unavailable` `UPDATE_RUNNING` naming who holds it, and until when. */
export async function acquireLease(options: LeaseOptions, signal: AbortSignal): Promise<Lease> {
  const { repository, clock, log } = options;
  let held = await leaseCommit(options, signal);
  let from: Commit | undefined;
  for (;;) {
    const result = await repository.push([{ ref: leaseRef, from, to: held }], signal);
    if (result.type === "pushed") break;
    if (result.type === "refused") {
      log.warn(
        { reason: result.reason },
        "the remote allows no lease; another update could run at the same time",
      );
      return { lost: new AbortController().signal, async [Symbol.asyncDispose]() {} };
    }
    const current = await repository.readRemote(leaseRef, signal);
    const holder = current === undefined ? undefined : parseHolder(current.facts.message);
    if (current !== undefined && holder !== undefined && !isFree(holder, options)) throw busy(holder);
    if (holder !== undefined) log.info({ holder }, "took over the lease of an update that has ended");
    from = current?.commit;
    held = await leaseCommit(options, signal);
  }

  const lost = new AbortController();
  const released = new AbortController();
  async function renew(): Promise<void> {
    for (;;) {
      await clock.sleep(renewMs, released.signal);
      try {
        const next = await leaseCommit(options, released.signal);
        const result = await repository.push([{ ref: leaseRef, from: held, to: next }], released.signal);
        if (result.type !== "pushed") return lost.abort(takenOver());
        held = next;
      } catch (error) {
        if (released.signal.aborted) return;
        // A remote that is down for a while is not a reason to stop: the lease outlasts several renewals.
        log.warn({ err: error }, "the lease could not be renewed");
      }
    }
  }
  // It ends only by being released, in its sleep too.
  const renewing = renew().catch(() => undefined);
  return {
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      released.abort(new Error("released"));
      await renewing;
      try {
        await repository.push([{ ref: leaseRef, from: held, to: undefined }], AbortSignal.timeout(60_000));
      } catch (error) {
        log.warn({ err: error }, "the lease could not be given back; it expires by itself");
      }
    },
  };
}

const takenOver = (): HomelabError =>
  new HomelabError("unavailable", "another update took the lease over", { code: "UPDATE_RUNNING" });

/** Expired, or held by a process of this machine that is gone. Pure but for `isAlive`. */
export function isFree(
  holder: Holder,
  { self, isAlive, clock }: Pick<LeaseOptions, "self" | "isAlive" | "clock">,
): boolean {
  if (Date.parse(holder.expiresAt) <= clock.now().getTime()) return true;
  return holder.machine === self.machine && !isAlive(holder.pid);
}

/** Undefined where it is not ours, or of another version: whoever made it gets no protection from us. */
const parseHolder = (message: string): Holder | undefined => decodeJson(Holder, message);

function busy({ run, machine, trigger, expiresAt }: Holder): HomelabError {
  return new HomelabError(
    "unavailable",
    `another update runs: ${run} on ${machine} (${trigger}), until ${expiresAt} at most`,
    {
      code: "UPDATE_RUNNING",
      hint: "wait for it; its lease expires by itself if it has crashed",
    },
  );
}

async function leaseCommit(
  { repository, base, self, author, clock }: LeaseOptions,
  signal: AbortSignal,
): Promise<Commit> {
  const now = clock.now();
  const holder: Holder = { ...self, expiresAt: new Date(now.getTime() + expiryMs).toISOString() };
  return repository.commit(
    { parent: base, files: new Map(), message: JSON.stringify(holder), author, date: now },
    signal,
  );
}
