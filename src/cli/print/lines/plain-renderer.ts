// For pipes, the journal and CI systems that we do not know: lines on standard error, the summary on standard output.
import { withoutCommand } from "../../../base/terminal-text.ts";
import { createLineFeed } from "./line-feed.ts";
import { prefixedLog } from "./log-lines.ts";
import type { BuildRenderer, RendererOptions } from "../renderer.ts";
import { renderSummary } from "../summary/summary.ts";
import { randomToken, textWithoutCommands } from "./workflow-commands.ts";

export function createPlainRenderer(options: RendererOptions): BuildRenderer {
  const { out, err, clock } = options;
  const write = (lines: readonly string[]): void => {
    const safe = options.inRunner === true ? lines.map(withoutCommand) : lines;
    if (lines.length > 0) err.write(safe.map((line) => `${line}\n`).join(""));
  };
  const feed = createLineFeed({
    clock,
    style: options.errStyle,
    derivations: options.detail === "verbose",
    write,
  });
  return {
    start: (build) => feed.start(build),
    message(message) {
      feed.message(message);
      if (message.type !== "log" || options.buildLogs !== true) return;
      write(prefixedLog(message.chunk, options.errStyle));
      feed.heard();
    },
    notice: (line) => feed.say(line),
    resize() {},
    finish(state) {
      feed.stop();
      const { outStyle: style, showTrace, inRunner, randomToken: newToken = randomToken } = options;
      const summary = renderSummary(state, { style, width: out.columns, showTrace });
      out.write(inRunner === true ? textWithoutCommands(summary, newToken()) : summary);
    },
    interrupted: () => feed.stop(),
  };
}
