import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import type { HomelabError } from "../../base/errors.ts";
import { guardStream } from "./stdout-guard.ts";

const brokenPipe = (): Error => Object.assign(new Error("write EPIPE"), { code: "EPIPE" });

test("a reader that went away ends us once, quietly", () => {
  const stream = new EventEmitter();
  const onClosed = vi.fn<() => void>();
  guardStream(stream, onClosed, () => expect.unreachable());
  stream.emit("error", brokenPipe());
  stream.emit("error", brokenPipe());
  expect(onClosed).toHaveBeenCalledTimes(1);
});

test("a stream that cannot be written is told once, with why and what to do", () => {
  const stream = new EventEmitter();
  const onBroken = vi.fn<(error: HomelabError) => void>();
  guardStream(stream, expect.unreachable, onBroken);
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  stream.emit("error", full);
  stream.emit("error", full);
  expect(onBroken.mock.calls).toEqual([
    [expect.objectContaining({ kind: "unavailable", cause: full, hint: expect.stringContaining("room") })],
  ]);
});
