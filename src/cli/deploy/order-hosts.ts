// Orders host after host, shows what they do, and stops at the first that fails.
import { HomelabError } from "../../base/errors.ts";
import type { DeployBus } from "../../bus/deploy-bus.ts";
import type { OrderSpecification } from "../../deploy/ordering/compose-order.ts";
import {
  exitCodeOfRefusal,
  type PlannedHost,
  type PlanSpecification,
} from "../../deploy/ordering/decide-plan.ts";
import { followDeployment, type FollowEnd } from "../../deploy/ordering/follow-deployment.ts";
import { placeOrder, type OrderRequest } from "../../deploy/ordering/place-order.ts";
import { refusalError } from "../../deploy/ordering/refusal-error.ts";
import { worstExitCode } from "../../protocol/deploy/deploy-codes.ts";
import { foldDeployEvents } from "../../protocol/deploy/deployment.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { Signer } from "../../signing/signing-key-file.ts";
import { formatDuration } from "../../words/duration.ts";
import { requester } from "../builds/decide-request.ts";
import { answer } from "../command.ts";
import type { Context } from "../context.ts";
import { createDeployRenderer, type DeployRenderer } from "../print/deploy/deploy-renderer.ts";
import { decideOutputMode } from "../print/output-mode.ts";
import { renderPlanChanges } from "../print/pages/plan-changes.ts";
import { planJson, renderPlan } from "../print/pages/plan-page.ts";
import type { Interruptible } from "../session/signals.ts";
import { confirm } from "./confirm.ts";
import type { ChangingHost, PlanChanges } from "./read-plan-changes.ts";
import { exitCodeOfRow, newRow, type HostRow } from "./host-row.ts";

export interface OrderHostsOptions {
  readonly plan?: boolean;
  readonly allowDowngrade?: boolean;
  readonly reason?: string;
  readonly detach?: boolean;
  readonly timeout?: number;
  readonly yes?: boolean;
}

export interface OrderHostsParts extends Interruptible {
  readonly bus: DeployBus;
  /** Called only when something is signed. */
  readonly signer: () => Promise<Signer>;
  /** What a plan would change on these hosts. */
  readonly changes?: (hosts: readonly ChangingHost[]) => Promise<PlanChanges>;
}

/** @returns the exit code: of several hosts 1 before 4 before 3 before 0 */
export async function orderHosts(
  context: Context,
  parts: OrderHostsParts,
  planned: readonly PlannedHost[],
  specification: PlanSpecification,
  options: OrderHostsOptions,
): Promise<number> {
  const { outStyle: style, out } = context;
  if (options.plan === true) {
    const changes = await parts.changes?.(
      planned.map(({ address, from, to }) => ({ host: address.host, from, to })),
    );
    answer(context, {
      json: () => ({ hosts: planJson(planned), changes }),
      text: () =>
        `${renderPlan(planned, { style, width: out.columns })}${changes === undefined ? "" : renderPlanChanges(changes, style)}`,
      line: true,
    });
    const refusals = planned.flatMap(({ refusal }) =>
      refusal === undefined ? [] : [exitCodeOfRefusal(refusal)],
    );
    return worstExitCode([exitCodes.success, ...refusals]);
  }
  const [only] = planned;
  if (planned.length === 1 && only?.refusal !== undefined) throw refused(only, only.refusal);
  const rows = planned.map(newRow);
  const toDo = rows.filter(({ status }) => status === "waiting");
  if (options.detach === true && toDo.length > 1) {
    throw new HomelabError(
      "usage",
      "--detach works for one host: each host is ordered after the previous one has finished",
      {
        code: "BAD_ARGUMENTS",
        hint: "name one host, or leave --detach out",
      },
    );
  }
  const signer = toDo.length === 0 ? undefined : await parts.signer();
  if (planned.length > 1 && toDo.length > 0 && options.yes !== true) {
    context.err.write(renderPlan(planned, { style: context.errStyle, width: context.err.columns }));
    const hosts = toDo.length === 1 ? "1 host" : `${toDo.length} hosts, one after another`;
    if (!(await confirm(context, `Order this on ${hosts}?`, parts.signal))) {
      context.err.write("Nothing was ordered.\n");
      return exitCodes.interrupted;
    }
  }
  return createRun(context, parts, specification, options, rows, signer).run();
}

function refused({ address }: PlannedHost, refusal: NonNullable<PlannedHost["refusal"]>): HomelabError {
  const { code, hint } = refusal;
  const detail = `${address.host} is not deployed: ${refusal.detail}`;
  if (code === "HOST_ABSENT") return new HomelabError("unavailable", detail, { code: "HOST_ABSENT", hint });
  return refusalError({ code, detail }, hint);
}

type Stop = "detached" | "terminated" | "timeout";

function createRun(
  context: Context,
  { bus, handOver }: OrderHostsParts,
  specification: PlanSpecification,
  options: OrderHostsOptions,
  begun: readonly HostRow[],
  signer: Signer | undefined,
) {
  const { clock, err, signals } = context;
  let rows = begun;
  let stop: Stop | undefined;
  const stopped = new AbortController();
  const { signal } = stopped;
  const renderer = createRenderer(context, begun);
  const end = (why: Stop): void => {
    stop ??= why;
    stopped.abort();
  };

  function change(index: number, more: Partial<HostRow>): HostRow | undefined {
    rows = rows.map((row, at) => (at === index ? { ...row, ...more } : row));
    renderer.rows(rows);
    return rows[index];
  }

  /** A host that knows a higher serial than NATS names it: retry above that. */
  async function deployOne(index: number, row: HostRow): Promise<void> {
    const startedAt = clock.monotonic();
    change(index, { status: "running", startedAt });
    let ended = await orderOnce(index, row, row.plan.state?.serial);
    const last = ended?.type === "ended" ? ended.deployment.end : undefined;
    if (last?.code === "REPLAYED" && last.serial !== undefined) {
      renderer.notice(`${row.plan.address.host} has seen a higher serial; ordering once more above it.`);
      ended = await orderOnce(index, row, last.serial);
    }
    if (ended !== undefined)
      change(index, { status: "ended", end: ended, ms: clock.monotonic() - startedAt });
  }

  async function orderOnce(
    index: number,
    { plan }: HostRow,
    hostSerial: number | undefined,
  ): Promise<FollowEnd | undefined> {
    const { address } = plan;
    if (signer === undefined) throw new TypeError("nobody signs");
    // Where the log is now; what it says later is about our order.
    const fromIndex = foldDeployEvents(await bus.readDeployEvents(address, 0, signal)).nextIndex;
    const order = await placeOrder(
      { bus, signer, clock },
      requestOf(plan, specification, options, hostSerial),
      signal,
    );
    change(index, { order });
    if (options.detach === true) return undefined;
    return followDeployment(
      { bus, clock },
      { address, order, fromIndex },
      (message, deployment) => {
        const row = change(index, { deployment });
        if (row !== undefined) renderer.message(row, message);
      },
      signal,
    );
  }

  async function deployAll(): Promise<void> {
    for (const [index, row] of rows.entries()) {
      if (row.status !== "waiting") continue;
      await deployOne(index, row);
      const now = rows[index];
      const code = now === undefined ? undefined : exitCodeOfRow(now);
      if (code !== undefined && code !== exitCodes.success) {
        rows = rows.map((each) => (each.status === "waiting" ? { ...each, status: "skipped" } : each));
        return;
      }
    }
  }

  function conclude(): number {
    const exitCode = worstExitCode(rows.flatMap((row) => exitCodeOfRow(row) ?? []));
    if (options.detach === true) {
      const ids = rows.flatMap(({ order }) => (order === undefined ? [] : [order.id]));
      answer(context, {
        json: () => ({ orders: ids }),
        text: () => ids.map((id) => `${id}\n`).join(""),
        line: true,
      });
      return exitCodes.success;
    }
    renderer.finish(rows, exitCode);
    return exitCode;
  }

  /** Whatever happens here, the host continues by itself. */
  function leave(why: Stop): number {
    renderer.interrupted();
    const running = rows.find(({ status }) => status === "running")?.plan.address;
    const waiting = rows.filter(({ status }) => status === "waiting").length;
    const underWay = running === undefined ? "Nothing is under way" : `${running.host} continues by itself`;
    const rest = waiting === 0 ? "" : ` ${waiting} more were not ordered.`;
    const reason =
      why === "timeout" ? `No outcome after ${formatDuration(options.timeout ?? 0)}; ` : "Detached; ";
    err.write(
      `\n${reason}${underWay}.${rest}\n  Look again:  homelab-deploy hosts show ${running?.host ?? "HOST"}\n`,
    );
    if (why === "timeout") return exitCodes.timeout;
    return why === "terminated" ? exitCodes.terminated : exitCodes.interrupted;
  }

  return {
    async run(): Promise<number> {
      handOver();
      const forget = [
        signals.onInterrupt(() => end("detached")),
        signals.onTerminate(() => end("terminated")),
      ];
      const timer =
        options.timeout === undefined ? undefined : setTimeout(() => end("timeout"), options.timeout);
      renderer.rows(rows);
      try {
        await deployAll();
        return conclude();
      } catch (error) {
        if (stop !== undefined) return leave(stop);
        renderer.interrupted();
        throw error;
      } finally {
        clearTimeout(timer);
        for (const each of forget) each();
      }
    },
  };
}

function requestOf(
  { address, kind, to, from, stated }: PlannedHost,
  { action, reboot, allowDrift }: PlanSpecification,
  { allowDowngrade, reason }: OrderHostsOptions,
  hostSerial: number | undefined,
): OrderRequest {
  if (to === undefined) throw new TypeError(`${address.host} has nothing to be deployed`);
  const specification: OrderSpecification = {
    kind,
    action,
    path: to,
    statementHash: stated?.hash,
    reboot,
    allowDowngrade: allowDowngrade === true,
    allowDrift,
    by: requester(),
    reason,
  };
  return { address, specification, statement: stated?.signed, running: from, hostSerial };
}

function createRenderer(context: Context, rows: readonly HostRow[]): DeployRenderer {
  const { environment, err, json } = context;
  const mode = json ? "jsonl" : decideOutputMode({ environment, stderrIsTerminal: err.isTTY === true });
  const hosts = rows.length === 1 ? (rows[0]?.plan.address.host ?? "") : `${rows.length} hosts`;
  // Groups of a workflow's log are for builds.
  return createDeployRenderer(mode === "github" ? "plain" : mode, `Deploy · ${hosts}`, context);
}
