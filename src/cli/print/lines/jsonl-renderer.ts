// For programs: each event of the build as it is on the wire, one object a line, on standard output. The last line
// of a build that is over is its terminal event.
import { safeJson } from "../../../base/terminal-text.ts";
import { eventVersion, isTerminal } from "../../../protocol/events.ts";
import { wireVersion } from "../../../protocol/wire.ts";
import type { BuildRenderer, RendererOptions } from "../renderer.ts";

export function createJsonlRenderer(options: RendererOptions): BuildRenderer {
  const { out, err, errStyle } = options;
  let nextIndex = 0;
  let over = false;
  const write = (value: object): void => {
    if (!over) out.write(`${safeJson({ v: wireVersion, ...value })}\n`);
  };
  return {
    start() {},
    message(message) {
      switch (message.type) {
        case "event":
          if (message.event.index < nextIndex) return;
          nextIndex = message.event.index + 1;
          write({ v: eventVersion(message.event), ...message.event });
          over = isTerminal(message.event);
          return;
        case "progress":
          if (options.detail === "verbose") write({ type: "progress", ...message.progress });
          return;
        case "log":
          if (options.buildLogs === true) write({ type: "log", ...message.chunk });
          return;
        case "connection":
          return;
      }
    },
    notice(line) {
      err.write(`${errStyle.clean(line)}\n`);
    },
    resize() {},
    finish() {},
    interrupted() {},
  };
}
