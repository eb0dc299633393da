// How a rollout is followed: a live view on a terminal, plain lines elsewhere, or JSON.
import { safeJson } from "../../../base/terminal-text.ts";
import type { RolloutEvent } from "../../../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../../../protocol/rollout/rollout.ts";
import { formatUtcTime } from "../../../words/duration.ts";
import { rolloutCommand } from "../../../words/next-commands.ts";
import { rolloutActions } from "../../../words/rollout-actions.ts";
import { rolloutEventTexts } from "../../../words/rollout-event-words.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import { shortId } from "../../../words/short-id.ts";
import type { Context } from "../../context.ts";
import { scheduleFrames } from "../live/frame-schedule.ts";
import { blockSize, createLiveBlock } from "../live/live-block.ts";
import { rolloutJson } from "./rollout-json.ts";
import { rolloutLines } from "./rollout-view.ts";

export interface RolloutRenderer {
  /** How it is now, and the events since it was last shown. */
  show(rollout: Rollout, events: readonly RolloutEvent[]): void;
  states(states: HostStates): void;
  finish(rollout: Rollout, exitCode: number): void;
  /** Nobody looks any longer. */
  interrupted(): void;
}

export type RolloutOutput = "tty" | "plain" | "jsonl";
type Parts = Pick<Context, "out" | "err" | "outStyle" | "errStyle" | "clock">;

export function createRolloutRenderer(output: RolloutOutput, parts: Parts): RolloutRenderer {
  switch (output) {
    case "tty":
      return createTtyRenderer(parts);
    case "plain":
      return createPlainRenderer(parts);
    case "jsonl":
      return createJsonRenderer(parts);
  }
}

/**
 * What a person can do about it.
 *
 * @param id short where a line is narrow
 */
export function adviceOf(rollout: Rollout, id: string = rollout.id): string | undefined {
  const actions = rolloutActions(rollout);
  return actions.length === 0 ? undefined : rolloutCommand(actions, id);
}

function createPlainRenderer({ out, err, outStyle, errStyle, clock }: Parts): RolloutRenderer {
  let known: HostStates = new Map();
  return {
    show(rollout, events) {
      for (const event of events) {
        for (const text of rolloutEventTexts(event, rollout.waves)) {
          err.write(`${formatUtcTime(new Date(event.at))} ${errStyle.clean(text)}\n`);
        }
      }
      const advice = adviceOf(rollout);
      if (events.some(({ type }) => type === "halted" || type === "paused") && advice !== undefined) {
        err.write(`  ${advice}\n`);
      }
    },
    states(states) {
      known = states;
    },
    finish(rollout) {
      const print = { style: outStyle, now: clock.now(), states: known, advice: adviceOf(rollout) };
      out.write(`${rolloutLines(rollout, print).join("\n")}\n`);
    },
    interrupted() {},
  };
}

const frames = { shortestMs: () => 66, longestMs: 1000 } as const;

function createTtyRenderer({ out, err, outStyle, errStyle, clock }: Parts): RolloutRenderer {
  const block = createLiveBlock(err);
  const schedule = scheduleFrames({ clock, draw, ...frames });
  let shown: Rollout | undefined;
  let known: HostStates = new Map();

  function draw(): void {
    if (shown === undefined) return;
    const advice = [adviceOf(shown, shortId(shown.id, [])), "Ctrl-C detaches"]
      .filter((each) => each !== undefined)
      .join("   ");
    const print = { style: errStyle, now: clock.now(), states: known, ...blockSize(err), advice };
    block.draw(rolloutLines(shown, print));
  }
  return {
    show(rollout) {
      shown = rollout;
      schedule.request();
    },
    states(states) {
      known = states;
      schedule.request();
    },
    finish(rollout) {
      schedule.stop();
      block.clear();
      const { columns: width } = out;
      const print = { style: outStyle, now: clock.now(), states: known, width, advice: adviceOf(rollout) };
      out.write(`${rolloutLines(rollout, print).join("\n")}\n`);
    },
    interrupted() {
      schedule.stop();
      draw();
      block.release();
    },
  };
}

function createJsonRenderer({ out, clock }: Parts): RolloutRenderer {
  const write = (value: object): void => void out.write(`${safeJson(value)}\n`);
  let known: HostStates = new Map();
  return {
    show(_, events) {
      for (const event of events) write({ type: "event", event });
    },
    states(states) {
      known = states;
    },
    finish(rollout, exitCode) {
      write({ type: "finished", exitCode, rollout: rolloutJson(rollout, known, clock.now()) });
    },
    interrupted() {},
  };
}
