// How a deploy is shown: a live view on a terminal, plain lines elsewhere, or JSON.
import { safeJson } from "../../../base/terminal-text.ts";
import type { DeployMessage } from "../../../bus/deploy-bus.ts";
import { deployEventText } from "../../../words/deploy-words.ts";
import { formatUtcTime } from "../../../words/duration.ts";
import type { Context } from "../../context.ts";
import { exitCodeOfRow, type HostRow } from "../../deploy/host-row.ts";
import { scheduleFrames } from "../live/frame-schedule.ts";
import { blockSize, createLiveBlock } from "../live/live-block.ts";
import { cut, displayWidth, padEnd } from "../text-width.ts";
import { nameOfRow, rowText } from "./row-text.ts";

export interface DeployRenderer {
  /** Before the first order, and whenever a row has changed. */
  rows(rows: readonly HostRow[]): void;
  message(row: HostRow, message: DeployMessage): void;
  notice(line: string): void;
  /** The end, or that we look no longer. */
  finish(rows: readonly HostRow[], exitCode: number): void;
  interrupted(): void;
}

export type DeployView = "tty" | "plain" | "jsonl";
type Parts = Pick<Context, "out" | "err" | "outStyle" | "errStyle" | "clock">;

export function createDeployRenderer(view: DeployView, title: string, parts: Parts): DeployRenderer {
  switch (view) {
    case "tty":
      return createTtyRenderer(title, parts);
    case "plain":
      return createPlainRenderer(parts);
    case "jsonl":
      return createJsonRenderer(parts);
  }
}

/** What an activation prints comes in pieces that end anywhere. */
function createLines(write: (name: string, line: string) => void) {
  const rests = new Map<string, string>();
  return {
    add(name: string, text: string): void {
      const lines = `${rests.get(name) ?? ""}${text}`.split("\n");
      rests.set(name, (lines.pop() ?? "").slice(-64 * 1024));
      for (const line of lines) write(name, line);
    },
  };
}

const summary = (rows: readonly HostRow[], style: Context["outStyle"], now: number): string => {
  const width = Math.max(...rows.map((row) => displayWidth(nameOfRow(row))));
  return rows.map((row) => `${padEnd(nameOfRow(row), width)}  ${rowText(row, style, now)}\n`).join("");
};

function createPlainRenderer({ out, err, outStyle, errStyle: style, clock }: Parts): DeployRenderer {
  const say = (name: string, line: string): void =>
    void err.write(`${formatUtcTime(clock.now())} ${style.clean(name)}: ${line}\n`);
  const output = createLines((name, line) => say(name, style.log(line)));
  return {
    rows() {},
    message(row, message) {
      if (message.type === "output") output.add(nameOfRow(row), message.chunk.text);
      if (message.type === "connection") {
        err.write(
          message.connected ? "NATS is back.\n" : "The connection to NATS is lost; it is tried again.\n",
        );
      }
      const text = message.type === "event" ? deployEventText(message.event) : undefined;
      if (text !== undefined) say(nameOfRow(row), style.clean(text));
    },
    notice: (line) => void err.write(`${style.clean(line)}\n`),
    finish: (rows) => void out.write(summary(rows, outStyle, clock.monotonic())),
    interrupted() {},
  };
}

const frames = { shortestMs: () => 66, longestMs: 1000 } as const;

function createTtyRenderer(
  title: string,
  { out, err, outStyle, errStyle: style, clock }: Parts,
): DeployRenderer {
  const block = createLiveBlock(err);
  const schedule = scheduleFrames({ clock, draw, ...frames });
  const output = createLines((name, line) =>
    above.push(`${style.dim(`${style.clean(name)}>`)} ${style.log(line)}`),
  );
  let shown: readonly HostRow[] = [];
  let above: string[] = [];

  function draw(): void {
    if (shown.length === 0) return;
    const { width, height } = blockSize(err);
    const { glyphs } = style;
    const names = Math.max(...shown.map((row) => displayWidth(nameOfRow(row))));
    const lines = shown.map(
      (row) =>
        `${glyphs.blockSide} ${padEnd(nameOfRow(row), names)}  ${rowText(row, style, clock.monotonic())}`,
    );
    // The running host stays in sight.
    const room = Math.max(1, height - 2);
    const at = Math.max(0, shown.findIndex(({ status }) => status === "running") - room + 2);
    const fitting = lines.slice(at, at + room);
    const view = [
      `${glyphs.blockTop} ${style.bold(style.clean(title))}`,
      ...fitting,
      `${glyphs.blockBottom} ${style.dim("Ctrl-C detaches")}`,
    ];
    block.draw(
      view.map((line) => cut(line, width, glyphs.ellipsis)),
      above,
    );
    above = [];
  }
  function stop(): void {
    schedule.stop();
    if (above.length > 0) draw();
  }
  return {
    rows(rows) {
      shown = rows;
      schedule.request();
    },
    message(row, message) {
      if (message.type === "output") output.add(nameOfRow(row), message.chunk.text);
      if (message.type === "connection") {
        above.push(
          message.connected ? "NATS is back." : "The connection to NATS is lost; it is tried again.",
        );
      }
      if (message.type === "event" && isTelling(message.event.type)) {
        const text = deployEventText(message.event);
        if (text !== undefined) above.push(style.clean(`${nameOfRow(row)}: ${text}`));
      }
      schedule.request();
    },
    notice(line) {
      above.push(style.clean(line));
      schedule.request();
    },
    finish(rows) {
      stop();
      block.clear();
      out.write(summary(rows, outStyle, clock.monotonic()));
    },
    interrupted() {
      stop();
      block.release();
    },
  };
}

/** The phase is in the block; these are worth a line that stays. */
const isTelling = (type: string): boolean =>
  ["ready", "checked", "rolling-back", "warning", "rejected"].includes(type);

function createJsonRenderer({ out }: Parts): DeployRenderer {
  const write = (value: object): void => void out.write(`${safeJson(value)}\n`);
  const ordered = new Set<string>();
  const aboutHost = ({ plan: { address }, status, order, end, plan }: HostRow): object => ({
    ...address,
    status,
    order: order?.id,
    ended: end?.type,
    outcome: end?.type === "ended" ? end.deployment.end?.outcome : undefined,
    code: plan.refusal?.code ?? (end?.type === "ended" ? end.deployment.end?.code : undefined),
  });
  return {
    rows(rows) {
      for (const row of rows) {
        if (row.order === undefined || ordered.has(row.order.id)) continue;
        ordered.add(row.order.id);
        write({ type: "order", order: row.order });
      }
    },
    message(row, message) {
      if (message.type === "event") write({ type: "event", event: message.event });
      if (message.type === "output") write({ type: "output", ...row.plan.address, ...message.chunk });
    },
    notice: (text) => write({ type: "notice", text }),
    finish(rows, exitCode) {
      const hosts = rows.map((row) => ({ ...aboutHost(row), exitCode: exitCodeOfRow(row) }));
      write({ type: "finished", exitCode, hosts });
    },
    interrupted() {},
  };
}
