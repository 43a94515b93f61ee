/** The logarithm of the gamma function, for arguments above 0. PURE. */

/** Below this, Γ(x) = Γ(x+1)/x leads up to where the series is exact to the last digits. */
const seriesFrom = 12;

/**
 * By Stirling's series (Abramowitz & Stegun 6.1.41), whose first term left out is below 1e-17 from 12 on.
 *
 * @param x above 0
 */
export function logGamma(x: number): number {
  let product = 1;
  let z = x;
  while (z < seriesFrom) {
    product *= z;
    z += 1;
  }
  const r = 1 / (z * z);
  const series =
    (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360_360)))))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
