// What an HTTP cache answered to one question.

export interface CacheAnswer {
  readonly status: number;
  /** The first `maxBytes` of the body. */
  readonly body: Uint8Array;
  /** The connection ended before the answer did, at every attempt. */
  readonly isCutOff: boolean;
  /** The bytes of what was asked for, without regard to a range, where the server says it. */
  readonly totalBytes?: number;
  /** It is declared as HTML, as of a page to sign in at. */
  readonly isWebPage?: boolean;
}
