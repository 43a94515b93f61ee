/** Whose addresses are one subscriber's. */
/** An IPv4 address whole; of an IPv6 address the first 64 bits, which one subscriber has to choose from; other text as it is. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [before = "", after] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [first, last] = [groups(before), after === undefined ? [] : groups(after)];
  // An address that ends in an IPv4 one has a group less than it shows.
  const width = last.at(-1)?.includes(".") === true ? last.length + 1 : last.length;
  const filled =
    after === undefined ? [] : new Array<string>(Math.max(0, 8 - first.length - width)).fill("0");
  const network = [...first, ...filled, ...last].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
