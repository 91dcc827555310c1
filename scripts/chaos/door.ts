import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from '../../test/support/rssp.js'

/** What gets lost on the way. */
export type Cut = 'answers' | 'requests'

/** The network between the applications and one process: what goes through can be cut off. */
export class Door {
  readonly origin: string
  /** Every other connection is cut as soon as something goes that way. */
  cut: Cut | null = null
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #count = 0

  private constructor(server: Server, port: number) {
    this.#server = server
    this.origin = `http://127.0.0.1:${port}`
  }

  /** @param behind port of the process */
  static async open(behind: number): Promise<Door> {
    const port = await freePort()
    const server = createServer({ allowHalfOpen: true })
    const door = new Door(server, port)
    server.on('connection', (outside) => {
      door.#join(outside, connect(behind, '127.0.0.1'))
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return door
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(outside: Socket, inside: Socket): void {
    const isUnlucky = (this.#count += 1) % 2 === 0
    const end = () => {
      for (const socket of [outside, inside]) {
        socket.destroy()
        this.#sockets.delete(socket)
      }
    }
    const pass = (from: Socket, to: Socket, what: Cut) => {
      this.#sockets.add(from)
      from.on('data', (chunk) => {
        if (isUnlucky && this.cut === what) {
          // Some of it may be there already.
          to.write(chunk.subarray(0, chunk.length / 2), end)
          return
        }
        to.write(chunk)
      })
      from.on('end', () => to.end())
      from.on('error', end)
      from.on('close', end)
    }
    pass(outside, inside, 'requests')
    pass(inside, outside, 'answers')
  }
}
