import type { Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import { setImmediate as pause } from 'node:timers/promises'

/** For requests under way, when a server was told to stop. */
export const DRAIN_SECONDS = 20
/** On top of the time for idle connections, until those that never said anything are closed, too. */
const MARGIN_SECONDS = 1

/** Ends a server so that no request gets lost in a connection that is being closed. */
export class Drain {
  readonly #server: Server
  readonly #underWay = new Set<ServerResponse>()
  readonly #sockets = new Set<Socket>()
  #ending = false

  /** Looks on from the first request; to be made before the server listens. */
  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.prependListener('request', (_request, response: ServerResponse) => {
      if (this.#ending) endConnectionWith(response)
      this.#underWay.add(response)
      response.once('close', () => this.#underWay.delete(response))
    })
  }

  /** How many connections there are. */
  get open(): number {
    return this.#sockets.size
  }

  /**
   * Takes no more connections and resolves when those there are have ended: after their answer, or after
   * being idle for as long as they were promised. A balancer may just be sending a request into them.
   * @param seconds.idle for connections nothing is asked on
   * @param seconds.most after which everything is cut off
   */
  async finish(seconds: { idle: number; most: number }): Promise<void> {
    await waitingAreTaken()
    // The one of http.Server closes idle connections right away.
    const ended = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve())
    })
    this.#announce()
    const after = (wait: number, act: () => void) => setTimeout(act, wait * 1000)
    const timers = [
      after(seconds.idle === 0 ? 0 : seconds.idle + MARGIN_SECONDS, () => this.#closeIdle()),
      after(seconds.most, () => this.#server.closeAllConnections()),
    ]
    await ended
    for (const timer of timers) clearTimeout(timer)
    // What it does besides is over; this ends its watch over slow connections.
    this.#server.close()
  }

  /** From now on each answer is the last one of its connection; before, that would bring new ones. */
  #announce(): void {
    this.#ending = true
    for (const response of this.#underWay) endConnectionWith(response)
  }

  #closeIdle(): void {
    const busy = new Set([...this.#underWay].map(({ socket }) => socket))
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy()
  }
}

function endConnectionWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}

/**
 * Resolves right after the event loop has accepted what had connected: connections that still wait to be
 * accepted when a port closes are reset.
 */
async function waitingAreTaken(): Promise<void> {
  await pause()
  await pause()
}
