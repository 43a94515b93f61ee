/** Which peers are believed about the way a request came. */
import { BlockList, isIP } from "node:net";

/**
 * @param cidrs addresses or networks, IPv4 or IPv6
 * @returns whether an address is in one of them; an IPv4 address mapped into IPv6 is the IPv4 address
 */
export function createTrust(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits] = cidr.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (text) => {
    const address = text.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
  };
}
