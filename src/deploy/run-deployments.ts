// The one process of a host that deploys: it finishes what was begun, writes down what was refused, takes the newest
// order, and ends when there is nothing more to do. Every line is on the disk before what it announces is done.
import * as v from "valibot";
import { isBug, messageOf } from "../base/errors.ts";
import type { DeployCode } from "../protocol/deploy/deploy-codes.ts";
import { isHandMade, memoryOf, remember, type Deployment, type HostMemory } from "./host-memory.ts";
import { finish, giveUp, goBack, policyOf, type Activation, type DeployPorts } from "./activation.ts";
import { decideOrder } from "./decide-order.ts";
import { decideRecovery } from "./decide-recovery.ts";
import { decideStep } from "./decide-step.ts";
import { decideWithdrawal, takesItsPlace, whyNotFetch } from "./decide-withdrawal.ts";
import type { EventBody, Journal, JournalEntry } from "./journal.ts";
import type { Mail } from "./mailbox.ts";
import { base64Of, OrderId, type Order } from "../protocol/deploy/order.ts";
import { timeOf } from "../protocol/ulid.ts";
import { activateStep } from "./steps/activate.ts";
import { checkStep } from "./steps/check.ts";
import { confirmStep } from "./steps/confirm.ts";
import { fetchStep } from "./steps/fetch.ts";
import { persistStep } from "./steps/persist.ts";
import { preflightStep } from "./steps/preflight.ts";
import { rollBackStep } from "./steps/roll-back.ts";

/** How often a newer order is looked for while a closure is fetched. */
const lookMs = 1_000;
const dayMs = 86_400_000;

export interface RunOptions extends DeployPorts {
  readonly journal: Journal;
}

/**
 * Runs until nothing is left to do, or a deployment waits for a boot.
 *
 * @returns what the host knows then
 * @throws the signal's reason. Everything that was announced is in the journal by then, and the next run resumes from it
 */
export async function runDeployments(options: RunOptions, signal: AbortSignal): Promise<HostMemory> {
  const run = createRun(options);
  await run.recover(signal);
  for (;;) {
    await run.writeNotes();
    await run.workOff(signal);
    // What came in the meantime is the last thing that is looked for: nobody else would write it down.
    if (!(await run.takeOrder(signal)) && !(await run.writeRefusals())) break;
  }
  await run.dropOldRoots();
  return run.memory();
}

function createRun({ journal, ...ports }: RunOptions) {
  const { system, mailbox, clock, policy, fetcher } = ports;
  let memory = memoryOf(journal.head, journal.lines);
  /** What the switch of the deployment under way printed, while it was this process that ran it. */
  let output: string | undefined;

  async function append(entry: JournalEntry): Promise<void> {
    memory = remember(memory, await journal.append(entry));
  }

  function current(): Deployment {
    if (memory.current === undefined) throw new TypeError("no deployment is under way");
    return memory.current;
  }

  const activation: Activation = {
    ...ports,
    deployment: current,
    announce: async (event, kept) => append({ event, ...kept }),
  };
  const announce = async (event: EventBody): Promise<void> => append({ event });

  async function judge({ envelope, isByRoot }: Mail, signal: AbortSignal) {
    const { running } = await system.readPaths(signal);
    return decideOrder({
      envelope,
      isByRoot,
      // The policy of what runs now: the system that was just activated may no longer trust a key.
      policy: (running && (await policyOf(system, running))) ?? policy,
      memory,
      running,
      isHandMade: isHandMade(memory, running),
      now: clock.now(),
    });
  }

  async function recover(signal: AbortSignal): Promise<void> {
    const deployment = memory.current;
    if (deployment === undefined) return;
    await endTakenOver();
    const { bootId, running, booted } = await system.readPaths(signal);
    const order = deployment.order.id;
    const decision = decideRecovery({ deployment, bootId, running, booted, now: clock.now() });
    switch (decision.type) {
      case "resume":
        return;
      case "look-again":
        return preflightStep(activation, signal);
      case "booted":
        return announce({ type: "booted", order, path: decision.path });
      case "check-again":
        return announce({ type: "checking", order });
      case "reboot-again":
        return system.reboot(signal);
      case "roll-back":
        return goBack(activation, decision.code, decision.why);
      case "expire":
        return giveUp(activation, "expired", {
          code: "EXPIRED",
          detail: "it was ended before anything was changed, and is too old to be started again",
        });
    }
  }

  async function writeNotes(): Promise<void> {
    if (await mailbox.takeCleared()) {
      const text = "a person has recovered this host: it obeys orders again";
      await append({ event: { type: "warning", text }, cleared: true });
    }
    await writeRefusals();
  }

  /** @returns whether there were any */
  async function writeRefusals(): Promise<boolean> {
    for (let count = 0; ; count++) {
      const refused = await mailbox.takeRefused();
      if (refused === undefined) return count > 0;
      await announce({
        type: "rejected",
        order: refused.order,
        code: refused.code,
        detail: refused.detail,
        serial: memory.serial,
      });
    }
  }

  /** Only after the order that takes it over is in the journal, so that some order always owns what was staged. */
  async function endTakenOver(): Promise<void> {
    const { order, takesOver } = memory.current ?? {};
    if (order === undefined || takesOver === undefined) return;
    await announce({
      type: "finished",
      order: takesOver.id,
      outcome: "superseded",
      code: "SUPERSEDED",
      detail: `${order.by} has ordered its reboot (${order.id})`,
      ms: Math.max(0, clock.now().getTime() - Date.parse(takesOver.receivedAt)),
    });
  }

  /** Trying again would fail again, while an unproven system runs. */
  async function orGoBack(code: DeployCode, step: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (signal.aborted || isBug(error)) throw error;
      await goBack(activation, code, messageOf(error));
    }
  }

  /** Step by step, to its end or to where a boot has to come. */
  async function workOff(signal: AbortSignal): Promise<void> {
    while (memory.current !== undefined) {
      // Whoever gave the order waits for the answer, and a deployment may take long.
      await writeRefusals();
      const step = decideStep(memory.current);
      if (step === "wait") return;
      switch (step) {
        case "fetch":
          await fetchUnlessSuperseded(signal);
          break;
        case "preflight":
          await preflightStep(activation, signal);
          break;
        case "activate":
          if (await isSuperseded(signal)) break;
          ({ output } = await activateStep(activation, signal));
          break;
        case "check":
          await orGoBack("UNHEALTHY", () => checkStep(activation, output, signal), signal);
          break;
        case "confirm":
          await orGoBack("UNCONFIRMED", () => confirmStep(activation, signal), signal);
          break;
        case "persist":
          await orGoBack("BOOT_NOT_INSTALLED", () => persistStep(activation, signal), signal);
          break;
        case "reboot":
          await announce({ type: "rebooting", order: memory.current.order.id });
          await system.reboot(signal);
          break;
        case "roll-back":
          if (memory.current.phase !== "rolling-back") {
            await goBack(activation, "INTERRUPTED", "whoever activated it has gone");
          }
          await rollBackStep(activation, signal);
          break;
        case "complete":
          await finish(activation, "completed");
          break;
        case "end-fetch":
          await finish(activation, "fetched");
          break;
      }
    }
    output = undefined;
  }

  /** A newer order that this host obeys ends one that has changed nothing yet. */
  async function isSuperseded(signal: AbortSignal): Promise<boolean> {
    const mail = await mailbox.readOrder();
    if (mail === undefined) return false;
    const decision = await judge(mail, signal);
    if (decision.type !== "accepted" || !takesItsPlace(decision.order, current())) return false;
    const { kind, id, by } = decision.order;
    await finish(activation, "superseded", {
      code: "SUPERSEDED",
      detail: kind === "withdraw" ? `${by} took it back` : `${by} has given a newer order (${id})`,
    });
    return true;
  }

  async function fetchUnlessSuperseded(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const ended = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const watching = stopWhenNewer(stop, AbortSignal.any([signal, ended.signal]));
    try {
      await fetchStep(activation, both);
    } catch (error) {
      if (!stop.signal.aborted || signal.aborted) throw error;
      await isSuperseded(signal);
    } finally {
      ended.abort();
      await watching;
    }
  }

  async function stopWhenNewer(stop: AbortController, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await clock.sleep(lookMs, signal);
        const mail = await mailbox.readOrder();
        if (mail === undefined) continue;
        const decision = await judge(mail, signal);
        if (decision.type !== "accepted" || !takesItsPlace(decision.order, current())) continue;
        return stop.abort(new Error("a newer order has come"));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** @returns whether there was one */
  async function takeOrder(signal: AbortSignal): Promise<boolean> {
    const mail = await mailbox.readOrder();
    if (mail === undefined) return false;
    const decision = await judge(mail, signal);
    if (decision.type === "rejected") {
      const { code, detail, order } = decision;
      await announce({ type: "rejected", order, code, detail: detail.slice(0, 2000), serial: memory.serial });
    }
    if (decision.type === "accepted") {
      // The next round judges it again.
      if (await takeBackStaged(decision.order, signal)) return true;
      await begin(mail.envelope, decision, signal);
    }
    await mailbox.dropOrder(mail);
    return true;
  }

  const rebootsInto = (order: Order, staged: Deployment): boolean =>
    order.kind === "reboot" && staged.isStaged && staged.order.path === order.path;

  /** A staged system is permanent and unproven. Left alone, the next boot would start it without any check. */
  async function takeBackStaged(order: Order, signal: AbortSignal): Promise<boolean> {
    const { current: staged } = memory;
    if (staged === undefined || rebootsInto(order, staged)) return false;
    if (order.kind === "withdraw" || order.kind === "fetch") return false;
    await goBack(activation, "SUPERSEDED", `${order.by} has given a newer order (${order.id})`);
    await rollBackStep(activation, signal);
    return true;
  }

  function withdrawalOf(order: Order) {
    const ends = journal.lines.map(({ event }) => event).filter((event) => event.type === "finished");
    const end = ends.findLast((event) => event.order === order.withdraws)?.outcome;
    return decideWithdrawal({ order, current: memory.current, end });
  }

  async function begin(
    envelope: Uint8Array,
    { order, statement }: Extract<ReturnType<typeof decideOrder>, { readonly type: "accepted" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const withdrawal = order.kind === "withdraw" ? withdrawalOf(order) : undefined;
    const refusal = withdrawal?.type === "rejected" ? withdrawal : whyNotFetch(order, memory.current);
    if (refusal !== undefined) {
      const { code, detail } = refusal;
      return announce({ type: "rejected", order: order.id, code, detail, serial: memory.serial });
    }
    signal.throwIfAborted();
    const staged = memory.current;
    await append({
      event: {
        type: "received",
        order: order.id,
        kind: order.kind,
        action: order.action,
        path: order.path,
        serial: order.serial,
        by: order.by,
        commit: statement?.commit,
        reason: order.reason,
        rollout: order.rollout,
      },
      envelope: base64Of(envelope),
      // The boot that it was waiting for: what it is proven against, and where it goes back to, stay the same.
      baseline: staged?.baseline,
    });
    await endTakenOver();
    if (withdrawal !== undefined) await finish(activation, "completed");
    else if (policy.migration) {
      await giveUp(activation, "rejected", {
        code: "HELD",
        detail: "another tool still deploys this host: this one only reports (migration)",
      });
    }
  }

  /**
   * A closure stays for a while, for whoever wants to look at what failed. What was fetched for later stays until another
   * order comes, which has a root of its own.
   */
  async function dropOldRoots(): Promise<void> {
    const now = clock.now().getTime();
    const needed = [memory.current?.order.id, memory.forLater];
    for (const root of await fetcher.listRoots()) {
      const id = v.safeParse(OrderId, root);
      if (!id.success || needed.includes(id.output)) continue;
      if (now - timeOf(id.output).getTime() > policy.keepDays * dayMs) await fetcher.dropRoot(root);
    }
  }

  return { recover, writeNotes, writeRefusals, workOff, takeOrder, dropOldRoots, memory: () => memory };
}
