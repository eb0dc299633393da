// A renderer on a stage: what it wrote to each stream while a scripted build was played to it.
import { createRenderer } from "../../src/cli/print/create-renderer.ts";
import type { OutputMode } from "../../src/cli/print/output-mode.ts";
import type { BuildRenderer, RendererOptions } from "../../src/cli/print/renderer.ts";
import { createStyle } from "../../src/cli/print/style.ts";
import type { LogChunk } from "../../src/protocol/log-chunk.ts";
import { parseBuilderName, parseRepoName } from "../../src/protocol/names.ts";
import { hostRef, sampleBuild, scriptBuild, storePath, type BuildScript } from "./build-events.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";

export interface Recorder {
  readonly renderer: BuildRenderer;
  readonly clock: FakeClock;
  out(): string;
  err(): string;
  play(script: BuildScript): void;
  log(chunk: Partial<LogChunk>): void;
}

export function recordRenderer(
  mode: OutputMode,
  options: Partial<RendererOptions> & { readonly colour?: boolean } = {},
): Recorder {
  const written = { out: "", err: "" };
  const clock = createFakeClock();
  const style = createStyle({ colour: options.colour === true, ascii: false });
  const renderer = createRenderer(mode, {
    out: { write: (text) => (written.out += text) },
    err: { write: (text) => (written.err += text) },
    outStyle: style,
    errStyle: style,
    clock,
    randomToken: () => "b6f1c0de",
    ...options,
  });
  let played = 0;
  renderer.start(sampleBuild);
  return {
    renderer,
    clock,
    out: () => written.out,
    err: () => written.err,
    play(script) {
      for (const event of script.events.slice(played)) renderer.message({ type: "event", event });
      played = script.events.length;
    },
    log: (chunk) =>
      renderer.message({
        type: "log",
        chunk: {
          build: sampleBuild,
          log: 1,
          index: 0,
          drvPath: storePath("linux-6.18.4.drv"),
          kind: "live",
          dropped: 0,
          text: "",
          ...chunk,
        },
      }),
  };
}

export const nixosServers = parseRepoName("nixos-servers");

/** One of everything. */
export const eventfulBuild = (): BuildScript =>
  scriptBuild()
    .accepted(["testvm01", "web01", "gitea", "nas", "router", "media"], {
      skipped: [{ repo: nixosServers, host: "pi", reason: "no builder for aarch64-linux" }],
    })
    .wait(2000)
    .evaluated("testvm01", "web01", "gitea", "nas", "router")
    .building("testvm01", "web01")
    .wait(3000)
    .hostsFinished("eval-failed", ["media"], { reason: "The option `services.foo' does not exist." })
    .wait(60_000)
    .event({
      type: "retrying",
      hosts: [hostRef("nas")],
      reason: "no space left",
      attempt: 2,
      delayMs: 30_000,
    })
    .event({ type: "warning", message: "left out cachix.org: no answer" })
    .event({ type: "resumed", builder: parseBuilderName("cache") })
    .wait(42_000)
    .derivationFailed("gitea-1.26.1", ["gitea"], {
      phase: "buildPhase",
      tail: [
        "one",
        "two",
        "three",
        "four",
        "models/actions/run.go:88:14: undefined: optional.Some",
        "make: *** Error 2",
      ],
    })
    .hostsFinished("build-failed", ["gitea"], { reason: "gitea-1.26.1: builder failed with exit code 2" })
    .wait(20_000)
    .hostsFinished("built", ["testvm01", "web01", "nas", "router"])
    .finished("failed");

export const finishRecorded = (script: BuildScript, recorder: Recorder): Recorder => {
  recorder.play(script);
  recorder.renderer.finish(script.state);
  return recorder;
};
