// For a person at a terminal: a block that shows the build as it is, and the summary in its place at the end.
import type { FullHostName } from "../../../protocol/names.ts";
import { applyMessage, newView, type BuildView, type Now } from "./build-view.ts";
import { closingSentence } from "../../../words/closing-sentence.ts";
import { scheduleFrames } from "./frame-schedule.ts";
import { blockSize, createLiveBlock } from "./live-block.ts";
import { hostsInOrder } from "./live-hosts.ts";
import { liveLines } from "./live-lines.ts";
import { prefixedLog } from "../lines/log-lines.ts";
import type { BuildRenderer, RendererOptions } from "../renderer.ts";
import { createTaskbar } from "./taskbar.ts";
import { startedDerivations } from "./started-derivations.ts";
import { renderSummary } from "../summary/summary.ts";

/** 15 frames a second are smooth enough; the clocks move once a second. */
const frames = { shortestMs: 66, longestMs: 1000 } as const;
/** A frame is work for each host. Of so many only the busiest are shown, and nobody follows these closely. */
const manyHosts = 200;
const shortestOfManyMs = 250;

export function createTtyRenderer(options: RendererOptions): BuildRenderer {
  const { out, err, errStyle: style, clock } = options;
  const block = createLiveBlock(err);
  const taskbar = options.taskbar === true ? createTaskbar(err) : undefined;
  const schedule = scheduleFrames({
    clock,
    draw: () => draw(),
    shortestMs: () => ((view?.state.hosts.size ?? 0) > manyHosts ? shortestOfManyMs : frames.shortestMs),
    longestMs: frames.longestMs,
  });
  let view: BuildView | undefined;
  let above: string[] = [];
  /** The terminal is not ours any more. */
  let released = false;
  /** The block was taken away for somebody else; a frame may have brought it back before we are told to. */
  let left = false;
  let selected: FullHostName | undefined;

  const now = (): Now => ({ monotonic: clock.monotonic(), wall: clock.now() });

  function draw(keyHint = options.keyHint): void {
    if (view === undefined) return;
    const lines = liveLines(view, { style, ...blockSize(err), now: clock.monotonic(), keyHint, selected });
    block.draw(lines, above);
    if (!released) taskbar?.show(view);
    above = [];
  }

  /** What was to be printed above the block and was not drawn yet. */
  function flushAbove(): void {
    if (above.length > 0) err.write(above.map((line) => `${line}\n`).join(""));
    above = [];
  }

  return {
    start(build) {
      view = newView(build, now());
      schedule.request();
    },
    message(message) {
      if (view === undefined) return;
      const before = view;
      view = applyMessage(view, message, now());
      for (const warning of view.state.warnings.slice(before.state.warnings.length)) {
        above.push(`${style.yellow("warning:")} ${style.clean(warning)}`);
      }
      if (message.type === "progress" && options.detail === "verbose") {
        const started = startedDerivations(before.progress?.running ?? [], message.progress.running);
        above.push(...started.map(({ name }) => `building ${style.clean(name)}`));
      }
      if (message.type === "log" && options.buildLogs === true) {
        above.push(...prefixedLog(message.chunk, style));
      }
      schedule.request();
    },
    notice(line) {
      above.push(style.clean(line));
      if (released) flushAbove();
      else schedule.request();
    },
    resize() {
      schedule.request();
    },
    terminal: {
      leave() {
        block.clear();
        taskbar?.clear();
        left = true;
      },
      enter() {
        // Stopped without a word: whatever is on the screen now, the block is not where it was.
        if (!left) block.release();
        left = false;
        schedule.request();
      },
      select(step) {
        if (view === undefined) return;
        const order = hostsInOrder(view);
        const at = selected === undefined ? -1 : order.indexOf(selected);
        selected = at < 0 ? order[0] : (order[at + step] ?? selected);
        // Whoever presses a key sees it at once.
        if (!released) draw();
      },
      selected: () => selected,
    },
    finish(state) {
      schedule.stop();
      released = true;
      block.clear();
      taskbar?.clear();
      flushAbove();
      out.write(
        renderSummary(state, { style: options.outStyle, width: out.columns, showTrace: options.showTrace }),
      );
      if (out.isTTY !== true) err.write(`${closingSentence(state)}\n`);
    },
    interrupted() {
      schedule.stop();
      if (!released) draw("");
      released = true;
      block.release();
      taskbar?.clear();
    },
  };
}
