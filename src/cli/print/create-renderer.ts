import { isTerminal } from "../../protocol/events.ts";
import { createGithubRenderer } from "./lines/github-renderer.ts";
import { createJsonlRenderer } from "./lines/jsonl-renderer.ts";
import type { OutputMode } from "./output-mode.ts";
import { createPlainRenderer } from "./lines/plain-renderer.ts";
import type { BuildRenderer, RendererOptions } from "./renderer.ts";
import { createTtyRenderer } from "./live/tty-renderer.ts";

export function createRenderer(mode: OutputMode, options: RendererOptions): BuildRenderer {
  if (options.detail !== "quiet") return rendererOf(mode, options);
  // The live view has no place for a line of its own.
  return onlyTheEnd(rendererOf(mode === "tty" ? "plain" : mode, options));
}

/** A renderer that was not started shows what it is told, and nothing of a build. */
const onlyTheEnd = (renderer: BuildRenderer): BuildRenderer => ({
  ...renderer,
  start() {},
  message(message) {
    if (message.type === "event" && isTerminal(message.event)) renderer.message(message);
  },
});

function rendererOf(mode: OutputMode, options: RendererOptions): BuildRenderer {
  switch (mode) {
    case "tty":
      return createTtyRenderer(options);
    case "plain":
      return createPlainRenderer(options);
    case "github":
      return createGithubRenderer(options);
    case "jsonl":
      return createJsonlRenderer(options);
  }
}
