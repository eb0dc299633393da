import { createGithubRenderer } from "./github-renderer.ts";
import { createJsonlRenderer } from "./jsonl-renderer.ts";
import type { OutputMode } from "./output-mode.ts";
import { createPlainRenderer } from "./plain-renderer.ts";
import type { BuildRenderer, RendererOptions } from "./renderer.ts";
import { createTtyRenderer } from "./tty-renderer.ts";

export function createRenderer(mode: OutputMode, options: RendererOptions): BuildRenderer {
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
