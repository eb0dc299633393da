import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { guardStream } from "./stdout-guard.ts";

const brokenPipe = (): Error => Object.assign(new Error("write EPIPE"), { code: "EPIPE" });

test("a reader that went away ends us once, quietly", () => {
  const stream = new EventEmitter();
  const onClosed = vi.fn<() => void>();
  guardStream(stream, onClosed);
  stream.emit("error", brokenPipe());
  stream.emit("error", brokenPipe());
  expect(onClosed).toHaveBeenCalledTimes(1);
});

test("any other error of the stream is not swallowed", () => {
  const stream = new EventEmitter();
  const onClosed = vi.fn<() => void>();
  guardStream(stream, onClosed);
  expect(() => stream.emit("error", new Error("disk full"))).toThrow("disk full");
  expect(onClosed).not.toHaveBeenCalled();
});
