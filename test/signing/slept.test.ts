import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { Secrets } from '../../src/config/secrets.js'
import { Announcements, type DueAnnouncement } from '../../src/signing/announcements.js'

describe('A process that slept between taking an announcement and sending it', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-slept-'))
    Secrets.create(join(folder, 'secrets'))
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  for (const [seconds, sent] of [
    [29, 1],
    [30, 0],
  ] as const) {
    it(`for ${seconds} seconds, sends ${sent === 0 ? 'nothing: another tries by now' : 'it'} (S75)`, async () => {
      let now = 1_800_000_000_000
      const secrets = Secrets.read(join(folder, 'secrets'))
      const { privateKey } = await generateKeyPair('ES256', { extractable: true })
      const due: DueAnnouncement[] = []
      const closed: DueAnnouncement[] = []
      const posted: string[] = []
      const announcements = new Announcements({
        ...{ secrets, signingKey: await exportJWK(privateKey), now: () => new Date(now) },
        store: {
          due: () => Promise.resolve(due),
          waiting: () => Promise.resolve(due.length),
          claim: () => {
            now += seconds * 1000
            return Promise.resolve(true)
          },
          close: (each) => {
            closed.push(each)
            return Promise.resolve(true)
          },
        },
        post: (url) => {
          posted.push(url.href)
          return Promise.resolve(204)
        },
      })
      const announcement = announcements.seal(
        'job',
        'response',
        new URL('https://app.example/done'),
      )
      due.push({ idHash: 'job', announcement, attempts: 0, state: 'signed' })
      await announcements.deliverDue()
      assert.equal(posted.length, sent)
      assert.equal(closed.length, sent)
    })
  }
})
