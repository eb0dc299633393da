// What takes the answer to one GET as it comes.
import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { hasCode } from "../base/errors.ts";

export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer<Body> extends AnswerHead {
  readonly body: Body;
}

/** A header that a server sends twice, though it may be there only once, counts as it came first. */
export function headerOf({ headers }: AnswerHead, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The connection ended: as the system and the HTTP client call it. */
export const isLostConnection = (error: unknown): boolean =>
  hasCode(error, "ECONNRESET", "EPIPE", "UND_ERR_SOCKET");

/** What came is not HTTP. The parser's errors have no code: undici looks for their names by the wrong key. */
export const isUnreadable = (error: unknown): boolean =>
  hasCode(error, "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") ||
  (error instanceof Error && error.name === "HTTPParserError");

/** The body ended before it was whole. Where the server closes every connection, only the parser notices. */
export const isCutShort = (error: unknown): boolean => isLostConnection(error) || isUnreadable(error);

/** A GET that is under way. */
export abstract class Exchange<Body> implements Dispatcher.DispatchHandler {
  readonly #answer = Promise.withResolvers<Answer<Body>>();
  #controller: Dispatcher.DispatchController | undefined;
  #leaveQueue: ((reason: Error) => void) | undefined;
  #abortedFor: Error | undefined;

  constructor() {
    // It may fail while who asked is not waiting yet.
    this.#answer.promise.catch(() => undefined);
  }

  get answer(): Promise<Answer<Body>> {
    return this.#answer.promise;
  }

  get isAborted(): boolean {
    return this.#abortedFor !== undefined;
  }

  /** Ends it, whatever has come of it, and its connection, also one that is only being made. */
  abort(reason: Error): void {
    this.#abortedFor ??= reason;
    this.#leaveQueue?.(reason);
    this.#controller?.abort(reason);
    this.fail(reason);
  }

  /** Nothing more is read of its body. */
  abstract end(): void;

  /** It waits for a connection. */
  onQueued(leaveQueue: (reason: Error) => void): void {
    this.#leaveQueue = leaveQueue;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection until nobody wanted it any more.
    if (this.#abortedFor !== undefined) controller.abort(this.#abortedFor);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // What comes before the answer, such as Early Hints, is not it.
    if (status >= 200) this.onHead(controller, { status, headers });
  }

  protected abstract onHead(controller: Dispatcher.DispatchController, head: AnswerHead): void;
  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void;
  abstract onResponseEnd(): void;

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  protected succeed(answer: Answer<Body>): void {
    this.#answer.resolve(answer);
  }

  protected fail(error: Error): void {
    this.#answer.reject(error);
  }
}

/** A body that is at most so much longer than what is wanted of it is read, to keep the connection. */
const cheapRestBytes = 64 * 1024;
const notWanted = (): Error => new Error("the rest is not wanted");

export interface BodyStart {
  readonly bytes: Uint8Array;
  readonly isCutOff: boolean;
}

/** Answers with the start of the body: no more is read than is wanted, but for a short rest. */
export class StartExchange extends Exchange<BodyStart> {
  readonly #maxBytes: number;
  readonly #isBodyWanted: (head: AnswerHead) => boolean;
  readonly #chunks: Buffer[] = [];
  #head: AnswerHead | undefined;
  #bytes = 0;
  #rest = 0;
  #isOver = false;

  constructor(maxBytes: number, isBodyWanted: (head: AnswerHead) => boolean) {
    super();
    this.#maxBytes = maxBytes;
    this.#isBodyWanted = isBodyWanted;
  }

  protected onHead(_: Dispatcher.DispatchController, head: AnswerHead): void {
    this.#head = head;
    if (!this.#isBodyWanted(head)) this.#conclude(false);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const wanted = chunk.subarray(0, this.#maxBytes - this.#bytes);
    if (wanted.byteLength > 0) this.#chunks.push(wanted);
    this.#bytes += wanted.byteLength;
    this.#rest += chunk.byteLength - wanted.byteLength;
    if (this.#rest <= cheapRestBytes && (this.#bytes < this.#maxBytes || this.#isRestShort())) return;
    this.#conclude(false);
    controller.abort(notWanted());
  }

  onResponseEnd(): void {
    this.#isOver = true;
    this.#conclude(false);
  }

  end(): void {
    if (!this.#isOver) this.abort(notWanted());
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#isOver = true;
    if (this.#head !== undefined && isCutShort(error)) this.#conclude(true);
    else super.onResponseError(controller, error);
  }

  #isRestShort(): boolean {
    const length = this.#head && headerOf(this.#head, "content-length");
    return Number(length ?? Number.POSITIVE_INFINITY) <= cheapRestBytes;
  }

  #conclude(isCutOff: boolean): void {
    if (this.#head === undefined) return;
    this.succeed({ ...this.#head, body: { bytes: Buffer.concat(this.#chunks), isCutOff } });
  }
}

/** Answers with a stream of the whole body. */
export class StreamExchange extends Exchange<Readable> {
  #body: Readable | undefined;

  protected onHead(controller: Dispatcher.DispatchController, head: AnswerHead): void {
    const body = new Readable({
      read: () => controller.resume(),
      destroy(error, callback) {
        if (!body.readableEnded) controller.abort(error ?? notWanted());
        callback(error);
      },
    });
    // What ends a body while nobody reads it is told to who reads it next, and does not end the process.
    this.#body = body.on("error", () => undefined);
    this.succeed({ ...head, body });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body?.push(chunk) === false) controller.pause();
  }

  onResponseEnd(): void {
    this.#body?.push(null);
  }

  end(): void {
    this.#body?.destroy();
  }

  protected override fail(error: Error): void {
    super.fail(error);
    this.#body?.destroy(error);
  }
}
