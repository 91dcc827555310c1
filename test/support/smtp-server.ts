/** A mail server in a process of its own, as `SmtpProcess` starts it: three doors to one mailbox. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

const [key = '', cert = '', otherKey = '', otherCert = ''] = process.argv
  .slice(2)
  .map((file) => readFileSync(file, 'utf8'))

const common: SMTPServerOptions = {
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth({ username, password }, _session, callback) {
    if (username === 'rssp' && password === 'correct horse') return callback(null, { user: 'rssp' })
    callback(Object.assign(new Error('Invalid login'), { responseCode: 535 }))
  },
  onRcptTo({ address }, _session, callback) {
    const responseCode = { refused: 550, later: 451 }[address.split('@')[0] ?? '']
    if (responseCode === undefined) return callback()
    callback(Object.assign(new Error('No'), { responseCode }))
  },
  onData(stream, { envelope, secure, user }, callback) {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const to = envelope.rcptTo.map(({ address }) => address)
      const mail = { to, secure, user, text: Buffer.concat(chunks).toString() }
      process.send?.(mail, () => {
        callback()
      })
    })
  },
}

const doors = {
  good: new SMTPServer({ ...common, key, cert }),
  otherCertificate: new SMTPServer({ ...common, key: otherKey, cert: otherCert }),
  noTls: new SMTPServer({ ...common, hideSTARTTLS: true, allowInsecureAuth: true }),
}

const ports = await Promise.all(
  Object.entries(doors).map(async ([name, server]) => {
    // Clients that do not trust us hang up; that is theirs to report.
    server.on('error', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return [name, (server.server.address() as AddressInfo).port] as const
  }),
)
process.on('message', () => process.send?.('that is all'))
process.send?.({ ports: Object.fromEntries(ports) })
