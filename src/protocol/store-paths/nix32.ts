const alphabet = "0123456789abcdfghijklmnpqrsvwxyz";

/** Nix's own base 32: other digits than RFC 4648, and the least significant bits last (libutil's printHash32). */
export function nix32(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.byteLength * 8) / 5);
  const digits = Array.from({ length }, (_, index) => {
    const bit = (length - 1 - index) * 5;
    const byte = Math.floor(bit / 8);
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    return alphabet[(pair >> (bit % 8)) & 31];
  });
  return digits.join("");
}
