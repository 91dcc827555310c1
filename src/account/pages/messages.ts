import type { ComponentChild } from 'preact'
import type { Language } from '../../oauth/pages/index.js'

type Child = ComponentChild
type Phrase = Child[]

const en = {
  navigation: 'Your account',
  signOut: 'Sign out',
  signedInAs: (user: Child): Phrase => ['Signed in as ', user],

  sections: {
    overview: 'Overview',
    history: 'Signatures',
    sessions: 'Sessions and applications',
    credentials: 'Certificates',
    notices: 'Notices',
    approvals: 'Approvals',
    factors: 'Second factor',
    passkeys: 'Passkeys',
  },
  notices: {
    ended: 'Ended.',
    saved: 'Saved.',
    removed: 'Removed.',
    added: 'Added.',
  },

  notSignedIn: {
    cancelled: {
      title: 'You are not signed in',
      detail: 'Signing in was cancelled. Nothing was changed.',
    },
    'too-weak': {
      title: 'A second factor is needed',
      detail:
        'This page changes what protects your account. Please sign in with everything you have for it: your password and your second factor.',
    },
    retry: 'Sign in',
    home: 'To your account',
  },
  notFound: {
    title: 'Not found',
    detail: 'There is nothing here that belongs to you. It may have ended already.',
  },
  overview: {
    title: 'Your account',
  },
}

export type AccountMessages = typeof en
export type SectionTitle = keyof AccountMessages['sections']
/** What a page says after a form was carried out; comes back in its address. */
export type AccountNotice = keyof AccountMessages['notices']

const de: AccountMessages = {
  navigation: 'Ihr Konto',
  signOut: 'Abmelden',
  signedInAs: (user) => ['Angemeldet als ', user],

  sections: {
    overview: 'Übersicht',
    history: 'Signaturen',
    sessions: 'Sitzungen und Anwendungen',
    credentials: 'Zertifikate',
    notices: 'Benachrichtigungen',
    approvals: 'Freigaben',
    factors: 'Zweiter Faktor',
    passkeys: 'Passkeys',
  },
  notices: {
    ended: 'Beendet.',
    saved: 'Gespeichert.',
    removed: 'Entfernt.',
    added: 'Hinzugefügt.',
  },

  notSignedIn: {
    cancelled: {
      title: 'Sie sind nicht angemeldet',
      detail: 'Die Anmeldung wurde abgebrochen. Es wurde nichts geändert.',
    },
    'too-weak': {
      title: 'Ein zweiter Faktor ist nötig',
      detail:
        'Diese Seite ändert, was Ihr Konto schützt. Bitte melden Sie sich mit allem an, was Sie dafür haben: mit Passwort und zweitem Faktor.',
    },
    retry: 'Anmelden',
    home: 'Zu Ihrem Konto',
  },
  notFound: {
    title: 'Nicht gefunden',
    detail: 'Hier ist nichts, das Ihnen gehört. Vielleicht ist es schon beendet.',
  },
  overview: {
    title: 'Ihr Konto',
  },
}

export const ACCOUNT_MESSAGES: Record<Language, AccountMessages> = { en, de }
