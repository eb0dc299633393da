// IPv4 addresses and networks as numbers.

export interface Network {
  /** The first address: the network's own. */
  readonly first: number;
  /** The last one: broadcast. */
  readonly last: number;
  readonly prefix: number;
}

/** @returns undefined for what is no address in four decimal parts */
export function parseAddress(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** `10.69.13.0/24`, also with an address inside: `10.69.13.15/24`. */
export function parseNetwork(text: string): Network | undefined {
  const [address = "", length = "", more] = text.split("/");
  const number = parseAddress(address);
  if (number === undefined || more !== undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32)
    return undefined;
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1, prefix: Number(length) };
}
