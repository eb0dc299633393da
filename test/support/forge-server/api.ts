// What the routes of all forges have in common.
import type { ForgeState, User } from "./forge-state.ts";
import { type PathTemplate, pathTemplate, type PathValues } from "./path-template.ts";

export interface ApiCall {
  readonly values: PathValues;
  readonly query: URLSearchParams;
  readonly json: Readonly<Record<string, unknown>>;
  readonly files: ReadonlyMap<string, { readonly name: string; readonly bytes: Buffer }>;
  /** Undefined for anonymous readers. */
  readonly user: User | undefined;
}

export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: string;
  readonly path: PathTemplate;
  readonly handle: (call: ApiCall) => Promise<Reply> | Reply;
}

export const route = (method: string, template: string, handle: Route["handle"]): Route => {
  return { method, path: pathTemplate(template), handle };
};

export interface ApiContext {
  readonly state: ForgeState;
  /** What the forge believes its own URL to be: not where it is. */
  readonly rootUrl: string;
}

/** A refusal that ends a handler. */
export class Refusal extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(`refused with ${reply.status}`);
    this.reply = reply;
  }
}

/** The slice of a list that was asked for. */
export function pageOf<Item>(
  items: readonly Item[],
  query: URLSearchParams,
  parameter: string,
  most: number,
) {
  const size = Math.min(Number(query.get(parameter) ?? 30), most);
  const page = Number(query.get("page") ?? 1);
  return { items: items.slice((page - 1) * size, page * size), hasMore: page * size < items.length, page };
}

export const text = (value: unknown): string => (typeof value === "string" ? value : "");
