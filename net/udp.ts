import { type Address, canonical, formatAddress, type HostEndpoint, isIpv4 } from "./endpoint.ts";
import { addressesOf, explained, type HostConnectOptions, listenOnHost } from "./hosts.ts";
import type { DatagramPeer, DatagramTransport } from "./transport.ts";

/** The most bytes of a datagram's payload: 65,535 less the headers of UDP (8) and IPv4 (20; IPv6's does not count). */
const MAX_SIZE_IPV4 = 65_507;
const MAX_SIZE_IPV6 = 65_527;
/** A buffer of this size holds any datagram. */
export const DATAGRAM_BUFFER = 65_536;

export const udp: DatagramTransport<unknown, HostConnectOptions> = {
  kind: "datagram",
  addressing: "host",

  listen: (endpoint: HostEndpoint, options) => listenOnHost(endpoint, options, bind),

  async connect(endpoint: HostEndpoint, options) {
    const [address] = await addressesOf(endpoint.hostname, options);
    return connectUdp({ hostname: address!, port: endpoint.port });
  },
};

function bind(hostname: string, port: number) {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  return {
    address: socket.addr as Deno.NetAddr,
    receive: (buffer: Uint8Array) => socket.receive(buffer) as Promise<[Uint8Array, Deno.NetAddr]>,
    async send(bytes: Uint8Array, { hostname, port }: Address) {
      await socket.send(bytes, { transport: "udp", hostname, port });
    },
    close: () => socket.close(),
  };
}

/**
 * A socket for datagrams with one peer. Deno has no connected UDP sockets: what comes from elsewhere is dropped here,
 * and that nobody listens at the peer's port (ICMP) is not told.
 */
function connectUdp(peer: Address): DatagramPeer {
  const ipv4 = isIpv4(peer.hostname);
  const socket = bind(ipv4 ? "0.0.0.0" : "::", 0);
  const buffer = new Uint8Array(DATAGRAM_BUFFER);
  const from = canonical(peer.hostname);
  return {
    address: formatAddress(peer),
    maxSize: ipv4 ? MAX_SIZE_IPV4 : MAX_SIZE_IPV6,
    async send(bytes) {
      try {
        await socket.send(bytes, peer);
      } catch (error) {
        throw explained(error, peer.hostname);
      }
    },
    async receive() {
      for (;;) {
        const [bytes, { hostname, port }] = await socket.receive(buffer);
        if (port === peer.port && canonical(hostname) === from) return bytes.slice();
      }
    },
    close: () => socket.close(),
  };
}
