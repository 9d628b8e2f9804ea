/** Which addresses are served. */
import type { CidrSet } from "./cidr.ts";

/** The lists of addresses. */
export interface AccessLists {
  /** The addresses that are served; undefined for all. */
  allow?: CidrSet;
  /** The addresses that are not, even if `allow` has them. */
  deny?: CidrSet;
}

/** Whether an address is served. */
export function isAllowed({ allow, deny }: AccessLists, ip: string): boolean {
  return !deny?.has(ip) && (allow === undefined || allow.has(ip));
}
