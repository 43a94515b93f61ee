import { expect, test } from "vitest";
import { networkOf } from "../../../../src/config/values/network.ts";

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:0002::9", "2001:db8:1:2::/64"],
  ["2001:0DB8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["1::", "1:0:0:0::/64"],
  ["fe80::1:2:3:4%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
  ["1:2:3::4:5:192.0.2.1", "1:2:3:0::/64"],
  ["unknown", "unknown"],
  ["", ""],
])(
  "a subscriber of IPv6 has a whole /64, however an address of it is written: %s is of %s",
  (address, network) => {
    expect(networkOf(address)).toBe(network);
  },
);
