import type { ComponentChild } from 'preact'
import type { Language } from '../../pages/language.js'
import type { PageView } from '../../pages/layout.js'
import { PAGE_MESSAGES } from '../../pages/messages.js'

type Child = ComponentChild
type Phrase = Child[]

const ownEn = {
  signIn: {
    title: 'Sign in',
    asks: {
      service: (client: Child): Phrase => [client, ' asks to see your signing credentials.'],
      credential: (client: Child): Phrase => [client, ' asks you for a signature.'],
      account: (service: Child): Phrase => ['To your account at ', service],
      'account-changes': (service: Child): Phrase => ['To change your account at ', service],
    },
    means: {
      service:
        'Signing in lets this application list your certificates. It cannot sign anything unless you approve it.',
      credential: 'Once signed in, you see exactly what would be signed, and you decide.',
      account:
        'There you see what was signed in your name, who has access, and what protects your account.',
      'account-changes':
        'What protects your account, and what you are told about it, can only be changed in the minutes after signing in. So please sign in now, even if you did before.',
    },
    username: 'User name',
    password: 'Password',
    continue: 'Sign in',
    reject: 'Cancel',
    problems: {
      'wrong-credentials': 'User name or password is not correct. Please try again.',
      'too-many-attempts':
        'There were too many attempts. Please wait a few minutes, then try again.',
      disabled: 'This account is disabled. Please contact your signing service.',
    },
  },

  secondFactor: {
    title: 'Enter your code',
    asks: (client: Child): Phrase => ['One more step to sign in for ', client, '.'],
    means: 'Open your authenticator app and enter the code it shows now.',
    continue: 'Continue',
    reject: 'Cancel',
  },

  identity: {
    or: 'Or without a password',
    signIn: (provider: Child): Phrase => ['Sign in with ', provider],
    confirm: (provider: Child): Phrase => ['Confirm with ', provider],
    confirmHint: (provider: Child): Phrase => [
      'To approve, you prove once more at ',
      provider,
      ' that it is you. What is listed above is signed then, and nothing else.',
    ],
    link: {
      title: 'Link your account',
      asks: (provider: Child): Phrase => [provider, ' is not linked to an account here yet.'],
      as: (person: Child): Phrase => ['You identified yourself there as ', person, '.'],
      means:
        'Sign in once with your user name and password. From then on this identity opens your account, and can approve signatures where your certificate asks for it.',
      continue: 'Link and sign in',
    },
    problems: {
      denied: (provider: Child): Phrase => [
        provider,
        ' did not confirm who you are: it was cancelled or refused there. You can try again.',
      ],
      unavailable: (provider: Child): Phrase => [
        provider,
        ' cannot be reached at the moment. Please try again in a few minutes.',
      ],
      refused: (provider: Child): Phrase => [
        'The answer from ',
        provider,
        ' could not be accepted. Nothing was done with it. Please try again; if it happens again, contact your signing service.',
      ],
      unknown: (provider: Child): Phrase => [
        'Your identity at ',
        provider,
        ' is not linked to an account here. Please sign in another way, or contact your signing service.',
      ],
      barred: (provider: Child): Phrase => [
        'Your identity at ',
        provider,
        ' cannot be used here. Please contact your signing service.',
      ],
      nameless: (provider: Child): Phrase => [
        provider,
        ' did not tell us your given name and surname, without which there can be no account. Please allow it to, and try again.',
      ],
      taken: (provider: Child): Phrase => [
        'This identity was not linked: it, or your account, is linked already at ',
        provider,
        '. Please contact your signing service.',
      ],
      'other-person': (provider: Child): Phrase => [
        'Someone else than the owner of this certificate was confirmed by ',
        provider,
        '. Nothing was approved. Please confirm as the person the certificate belongs to, or reject the request.',
      ],
      'not-linked': (provider: Child): Phrase => [
        'This certificate is approved with ',
        provider,
        ', but no such identity is linked to your account. Please contact your signing service.',
      ],
    },
  },
  anIdentity: 'your electronic identity',
  recovery: {
    without: 'I cannot use my authenticator app',
    label: 'Recovery code',
    hint: 'One that you have not used yet, or the enrolment code from your signing service',
    byCode:
      'Your account has no authenticator app. Please enter the enrolment code from your signing service.',
    enrolmentCode: 'Enrolment code',
    enrolmentHint: '16 letters and digits. If you have none, ask your signing service for one.',
  },
  sentCode: {
    hint: '8 digits from our message',
    hintEither: 'From your authenticator app or our message, as the chosen certificate asks for',
    ifChosen:
      'If the chosen certificate is approved with a code that we send, choose it and ask for the code first.',
    goesTo: {
      email: (address: Child): Phrase => [
        'To approve, you enter a code that we send by e-mail to ',
        address,
        '.',
      ],
      sms: (address: Child): Phrase => [
        'To approve, you enter a code that we send by text message to ',
        address,
        '.',
      ],
    },
    send: 'Send me a code',
    sendAgain: 'Send another code',
    sent: (address: Child, until: Child): Phrase => [
      'We sent a code to ',
      address,
      '. It is good for this request only, until ',
      until,
      '.',
    ],
    resendIn: (duration: string) =>
      `If it does not arrive, you can ask for another in ${duration}.`,
    resendNow: 'If it did not arrive, you can ask for another.',
    problems: {
      'no-address':
        'There is no address on record to send a code to. Please contact your signing service.',
      'not-sent':
        'The code could not be sent at the moment. Nothing was approved. Please try again in a few minutes.',
      'address-refused':
        'The code could not be delivered: your address was refused. Please have your signing service correct it.',
      tooEarly: (duration: string) =>
        `A code was sent a moment ago. Please wait for it; you can ask for another in ${duration}.`,
      tooMany: (until: Child): Phrase => [
        'Many codes were sent. No more are sent until ',
        until,
        '.',
      ],
    },
  },
  pin: {
    label: 'Signature PIN',
    hint: 'The PIN of this certificate',
    hintIfAny: 'If the chosen certificate has one',
    problems: { 'wrong-pin': 'The PIN is not correct. Please try again.' },
  },
  consent: {
    title: 'Allow access?',
    asks: (client: Child): Phrase => [client, ' asks to see your signing credentials.'],
    signedInAs: (user: Child): Phrase => ['You are signed in as ', user, '.'],
    may: 'If you allow it, this application can',
    mayList: 'see the names and certificates of your signing credentials',
    mayAsk: 'ask you to approve signatures',
    mayNot: 'It cannot sign anything unless you approve it.',
    continue: 'Allow access',
    reject: 'Do not allow',
  },

  management: {
    person: 'Signer',
    credential: 'Credential',
    subject: 'Certificate of',
    serialNumber: 'Serial number',
    creation: {
      title: 'Create a signing credential?',
      asks: (client: Child): Phrase => [client, ' asks to create a signing credential for you.'],
      means:
        'A new key is made for you in our hardware security module, with a certificate in your name. Nothing is signed with it unless you approve it.',
      approve: 'Create credential',
      reject: 'Do not create',
    },
    deletion: {
      title: 'Delete this signing credential?',
      asks: (client: Child): Phrase => [client, ' asks to delete one of your signing credentials.'],
      means:
        'Its key is destroyed, and nobody can sign with it again. This cannot be undone. What was signed before stays signed.',
      approve: 'Delete credential',
      reject: 'Keep it',
    },
  },

  approval: {
    title: (count: number) =>
      count === 1 ? 'Approve this signature?' : `Approve these ${count} signatures?`,
    asks: (client: Child, count: number): Phrase => [
      client,
      ' asks you for ',
      count === 1 ? 'one signature.' : `${count} signatures.`,
    ],
    details: 'The request',
    signer: 'Signer',
    purpose: 'Purpose, as stated by the application',
    count: 'Signatures',
    confirmation: 'Number of this request',
    confirmationHint: 'If the application shows a number, it has to be this one.',
    validity: 'Valid for',
    validFor: (duration: string) => `${duration} after your approval`,
    answerBy: (time: Child): Phrase => ['Please decide by ', time, '.'],
    certificate: 'Certificate',
    choose: 'Sign with',
    chooseFirst: 'Please choose a certificate to sign with.',
    issuedUponApproval:
      'Issued in your name when you approve, for what is listed here alone. Its key is destroyed right after.',
    serialNumber: 'Serial number',
    items: (count: number) => (count === 1 ? 'What you sign' : `What you sign (${count})`),
    itemsHint: (algorithm: string, count: number) =>
      count === 1
        ? `The letters and digits are a fingerprint (${algorithm}): it stands for exactly one document and changes with every change to it. Compare it with what the application shows.`
        : `The letters and digits are fingerprints (${algorithm}): each stands for exactly one document and changes with every change to it. Compare them with what the application shows.`,
    item: (number: number) => `Document ${number}`,
    signedWithIt: 'Signed together with it:',
    confirm: 'Your decision',
    approve: (count: number) => (count === 1 ? 'Approve and sign' : `Approve ${count} signatures`),
    reject: 'Reject',
  },

  error: {
    back: (client: Child): Phrase => ['Back to ', client],
    close: 'You can close this window.',
    forDevelopers: 'Technical details',
    code: 'Error',
    description: 'Description',
    reference: 'Reference',
    explanations: {
      expired: {
        title: 'This page is no longer valid',
        detail:
          'The request has expired, was answered already, or was begun in another browser. Please go back to the application: it shows whether it has your answer. If not, start again there.',
      },
      'invalid-request': {
        title: 'This request cannot be processed',
        detail:
          'The application sent a request that this service does not accept. Nothing was signed. Please go back to the application; if it happens again, show these details to whoever runs it.',
      },
      'unknown-application': {
        title: 'This application is not known here',
        detail:
          'The application is not registered with this service, or gave a return address that is not. For your safety you are not sent back. Nothing was signed. If you trust the application, show these details to whoever runs it.',
      },
      'not-found': {
        title: 'There is no page here',
        detail:
          'The address may be mistyped or out of date. Please go back to where you came from. Your own pages are at “/account”.',
      },
      denied: {
        title: 'The request was refused',
        detail: 'Nothing was signed. You can go back to the application.',
      },
      unavailable: {
        title: 'Not available at the moment',
        detail:
          'This service is busy or being maintained. Nothing is lost: please load this page again in a few minutes.',
      },
      failure: {
        title: 'Something went wrong',
        detail:
          'The fault is on our side. Please try again; if it happens again, contact your signing service.',
      },
    },
  },
}

type OwnMessages = typeof ownEn

const ownDe: OwnMessages = {
  signIn: {
    title: 'Anmelden',
    asks: {
      service: (client) => [client, ' möchte Ihre Signaturzertifikate einsehen.'],
      credential: (client) => [client, ' bittet Sie um eine Signatur.'],
      account: (service) => ['Zu Ihrem Konto bei ', service],
      'account-changes': (service) => ['Um Ihr Konto zu ändern bei ', service],
    },
    means: {
      service:
        'Mit der Anmeldung erlauben Sie dieser Anwendung, Ihre Zertifikate aufzulisten. Ohne Ihre Freigabe kann sie nichts signieren.',
      credential: 'Nach der Anmeldung sehen Sie genau, was signiert werden soll, und entscheiden.',
      account:
        'Dort sehen Sie, was in Ihrem Namen signiert wurde, wer Zugriff hat und was Ihr Konto schützt.',
      'account-changes':
        'Was Ihr Konto schützt und was Ihnen dazu gemeldet wird, lässt sich nur in den Minuten nach einer Anmeldung ändern. Bitte melden Sie sich daher jetzt an, auch wenn Sie es schon getan haben.',
    },
    username: 'Benutzername',
    password: 'Passwort',
    continue: 'Anmelden',
    reject: 'Abbrechen',
    problems: {
      'wrong-credentials':
        'Benutzername oder Passwort ist nicht richtig. Bitte versuchen Sie es noch einmal.',
      'too-many-attempts':
        'Es gab zu viele Versuche. Bitte warten Sie einige Minuten und versuchen Sie es dann erneut.',
      disabled: 'Dieses Konto ist gesperrt. Bitte wenden Sie sich an Ihren Signaturdienst.',
    },
  },

  secondFactor: {
    title: 'Einmalcode eingeben',
    asks: (client) => ['Noch ein Schritt zur Anmeldung für ', client, '.'],
    means: 'Öffnen Sie Ihre Authenticator-App und geben Sie den Code ein, den sie gerade anzeigt.',
    continue: 'Weiter',
    reject: 'Abbrechen',
  },

  identity: {
    or: 'Oder ohne Passwort',
    signIn: (provider) => ['Anmelden mit ', provider],
    confirm: (provider) => ['Bestätigen mit ', provider],
    confirmHint: (provider) => [
      'Zur Freigabe weisen Sie sich bei ',
      provider,
      ' noch einmal aus. Signiert wird dann, was oben aufgeführt ist, und sonst nichts.',
    ],
    link: {
      title: 'Konto verknüpfen',
      asks: (provider) => [provider, ' ist hier noch mit keinem Konto verknüpft.'],
      as: (person) => ['Sie haben sich dort ausgewiesen als ', person, '.'],
      means:
        'Melden Sie sich einmal mit Benutzername und Passwort an. Danach öffnet diese Identität Ihr Konto und kann Signaturen freigeben, wo Ihr Zertifikat das verlangt.',
      continue: 'Verknüpfen und anmelden',
    },
    problems: {
      denied: (provider) => [
        provider,
        ' hat nicht bestätigt, wer Sie sind: Der Vorgang wurde dort abgebrochen oder abgelehnt. Sie können es noch einmal versuchen.',
      ],
      unavailable: (provider) => [
        provider,
        ' ist derzeit nicht erreichbar. Bitte versuchen Sie es in einigen Minuten noch einmal.',
      ],
      refused: (provider) => [
        'Die Antwort von ',
        provider,
        ' konnte nicht angenommen werden. Es wurde nichts damit getan. Bitte versuchen Sie es noch einmal; geschieht es wieder, wenden Sie sich an Ihren Signaturdienst.',
      ],
      unknown: (provider) => [
        'Ihre Identität bei ',
        provider,
        ' ist hier mit keinem Konto verknüpft. Bitte melden Sie sich anders an oder wenden Sie sich an Ihren Signaturdienst.',
      ],
      barred: (provider) => [
        'Ihre Identität bei ',
        provider,
        ' kann hier nicht verwendet werden. Bitte wenden Sie sich an Ihren Signaturdienst.',
      ],
      nameless: (provider) => [
        provider,
        ' hat uns Ihren Vor- und Nachnamen nicht mitgeteilt; ohne sie kann es kein Konto geben. Bitte erlauben Sie es und versuchen Sie es noch einmal.',
      ],
      taken: (provider) => [
        'Diese Identität wurde nicht verknüpft: Sie oder Ihr Konto ist bereits verknüpft bei ',
        provider,
        '. Bitte wenden Sie sich an Ihren Signaturdienst.',
      ],
      'other-person': (provider) => [
        'Nicht die Person, der dieses Zertifikat gehört, wurde bestätigt von ',
        provider,
        '. Es wurde nichts freigegeben. Bitte bestätigen Sie als die Person, der das Zertifikat gehört, oder lehnen Sie ab.',
      ],
      'not-linked': (provider) => [
        'Dieses Zertifikat wird freigegeben mit ',
        provider,
        ', aber mit Ihrem Konto ist keine solche Identität verknüpft. Bitte wenden Sie sich an Ihren Signaturdienst.',
      ],
    },
  },
  anIdentity: 'Ihrer elektronischen Identität',
  recovery: {
    without: 'Ich kann meine Authenticator-App nicht verwenden',
    label: 'Wiederherstellungscode',
    hint: 'Einer, den Sie noch nicht verwendet haben, oder der Einrichtungscode Ihres Signaturdienstes',
    byCode:
      'Ihr Konto hat keine Authenticator-App. Bitte geben Sie den Einrichtungscode Ihres Signaturdienstes ein.',
    enrolmentCode: 'Einrichtungscode',
    enrolmentHint:
      '16 Buchstaben und Ziffern. Haben Sie keinen, bitten Sie Ihren Signaturdienst darum.',
  },
  sentCode: {
    hint: '8 Ziffern aus unserer Nachricht',
    hintEither:
      'Aus Ihrer Authenticator-App oder unserer Nachricht, je nach dem gewählten Zertifikat',
    ifChosen:
      'Wird das gewählte Zertifikat mit einem Code freigegeben, den wir senden, wählen Sie es und fordern Sie zuerst den Code an.',
    goesTo: {
      email: (address) => [
        'Zur Freigabe geben Sie einen Code ein, den wir per E-Mail senden an ',
        address,
        '.',
      ],
      sms: (address) => [
        'Zur Freigabe geben Sie einen Code ein, den wir per SMS senden an ',
        address,
        '.',
      ],
    },
    send: 'Code senden',
    sendAgain: 'Weiteren Code senden',
    sent: (address, until) => [
      'Wir haben einen Code gesendet an ',
      address,
      '. Er gilt nur für diese Anfrage, bis zum ',
      until,
      '.',
    ],
    resendIn: (duration) =>
      `Kommt er nicht an, können Sie in ${duration} einen weiteren anfordern.`,
    resendNow: 'Ist er nicht angekommen, können Sie einen weiteren anfordern.',
    problems: {
      'no-address':
        'Es ist keine Adresse hinterlegt, an die ein Code gesendet werden könnte. Bitte wenden Sie sich an Ihren Signaturdienst.',
      'not-sent':
        'Der Code konnte gerade nicht gesendet werden. Es wurde nichts freigegeben. Bitte versuchen Sie es in einigen Minuten noch einmal.',
      'address-refused':
        'Der Code konnte nicht zugestellt werden: Ihre Adresse wurde zurückgewiesen. Bitte lassen Sie sie von Ihrem Signaturdienst berichtigen.',
      tooEarly: (duration) =>
        `Ein Code wurde gerade erst gesendet. Bitte warten Sie auf ihn; einen weiteren können Sie in ${duration} anfordern.`,
      tooMany: (until) => [
        'Es wurden viele Codes gesendet. Weitere gibt es erst wieder ab dem ',
        until,
        '.',
      ],
    },
  },
  pin: {
    label: 'Signatur-PIN',
    hint: 'Die PIN dieses Zertifikats',
    hintIfAny: 'Falls das gewählte Zertifikat eine hat',
    problems: {
      'wrong-pin': 'Die PIN ist nicht richtig. Bitte versuchen Sie es noch einmal.',
    },
  },
  consent: {
    title: 'Zugriff erlauben?',
    asks: (client) => [client, ' möchte Ihre Signaturzertifikate einsehen.'],
    signedInAs: (user) => ['Sie sind angemeldet als ', user, '.'],
    may: 'Wenn Sie zustimmen, kann diese Anwendung',
    mayList: 'die Namen und Zertifikate Ihrer Signaturschlüssel sehen',
    mayAsk: 'Sie um die Freigabe von Signaturen bitten',
    mayNot: 'Ohne Ihre Freigabe kann sie nichts signieren.',
    continue: 'Zugriff erlauben',
    reject: 'Nicht erlauben',
  },

  management: {
    person: 'Unterzeichner',
    credential: 'Signaturschlüssel',
    subject: 'Zertifikat von',
    serialNumber: 'Seriennummer',
    creation: {
      title: 'Signaturschlüssel anlegen?',
      asks: (client: Child): Phrase => [
        client,
        ' möchte einen Signaturschlüssel für Sie anlegen lassen.',
      ],
      means:
        'In unserem Hardware-Sicherheitsmodul entsteht ein neuer Schlüssel mit einem Zertifikat auf Ihren Namen. Damit wird nichts signiert, dem Sie nicht zustimmen.',
      approve: 'Schlüssel anlegen',
      reject: 'Nicht anlegen',
    },
    deletion: {
      title: 'Diesen Signaturschlüssel löschen?',
      asks: (client: Child): Phrase => [
        client,
        ' möchte einen Ihrer Signaturschlüssel löschen lassen.',
      ],
      means:
        'Der Schlüssel wird vernichtet, und niemand kann mehr mit ihm signieren. Das lässt sich nicht rückgängig machen. Was bereits signiert ist, bleibt signiert.',
      approve: 'Schlüssel löschen',
      reject: 'Behalten',
    },
  },

  approval: {
    title: (count) =>
      count === 1 ? 'Diese Signatur freigeben?' : `Diese ${count} Signaturen freigeben?`,
    asks: (client, count) => [
      client,
      ' bittet Sie um ',
      count === 1 ? 'eine Signatur.' : `${count} Signaturen.`,
    ],
    details: 'Die Anfrage',
    signer: 'Unterzeichnende Person',
    purpose: 'Zweck nach Angabe der Anwendung',
    count: 'Signaturen',
    confirmation: 'Nummer dieser Anfrage',
    confirmationHint: 'Zeigt die Anwendung eine Nummer an, muss es diese sein.',
    validity: 'Gültig für',
    validFor: (duration) => `${duration} ab Ihrer Freigabe`,
    answerBy: (time) => ['Bitte entscheiden Sie bis zum ', time, '.'],
    certificate: 'Zertifikat',
    choose: 'Signieren mit',
    chooseFirst: 'Bitte wählen Sie das Zertifikat, mit dem Sie signieren.',
    issuedUponApproval:
      'Wird mit Ihrer Freigabe auf Ihren Namen ausgestellt, nur für das hier Aufgeführte. Der Schlüssel wird gleich danach vernichtet.',
    serialNumber: 'Seriennummer',
    items: (count) => (count === 1 ? 'Was Sie signieren' : `Was Sie signieren (${count})`),
    itemsHint: (algorithm, count) =>
      count === 1
        ? `Die Buchstaben und Ziffern sind ein Fingerabdruck (${algorithm}): Er steht für genau ein Dokument und ändert sich mit jeder Änderung daran. Vergleichen Sie ihn mit der Anzeige der Anwendung.`
        : `Die Buchstaben und Ziffern sind Fingerabdrücke (${algorithm}): Jeder steht für genau ein Dokument und ändert sich mit jeder Änderung daran. Vergleichen Sie sie mit der Anzeige der Anwendung.`,
    item: (number) => `Dokument ${number}`,
    signedWithIt: 'Wird zusammen damit signiert:',
    confirm: 'Ihre Entscheidung',
    approve: (count) => (count === 1 ? 'Freigeben und signieren' : `${count} Signaturen freigeben`),
    reject: 'Ablehnen',
  },

  error: {
    back: (client) => ['Zurück zu ', client],
    close: 'Sie können dieses Fenster schließen.',
    forDevelopers: 'Technische Einzelheiten',
    code: 'Fehler',
    description: 'Beschreibung',
    reference: 'Vorgangsnummer',
    explanations: {
      expired: {
        title: 'Diese Seite ist nicht mehr gültig',
        detail:
          'Die Anfrage ist abgelaufen, schon beantwortet oder in einem anderen Browser begonnen worden. Bitte kehren Sie zur Anwendung zurück: Sie zeigt, ob Ihre Antwort dort ist. Wenn nicht, beginnen Sie dort von vorn.',
      },
      'invalid-request': {
        title: 'Diese Anfrage kann nicht bearbeitet werden',
        detail:
          'Die Anwendung hat eine Anfrage gesendet, die dieser Dienst nicht annimmt. Es wurde nichts signiert. Bitte kehren Sie zur Anwendung zurück; geschieht es wieder, zeigen Sie diese Angaben denen, die sie betreiben.',
      },
      'unknown-application': {
        title: 'Diese Anwendung ist hier nicht bekannt',
        detail:
          'Die Anwendung oder ihre Rücksprungadresse ist bei diesem Dienst nicht registriert. Zu Ihrer Sicherheit werden Sie nicht zurückgeleitet. Es wurde nichts signiert. Vertrauen Sie der Anwendung, zeigen Sie diese Angaben denen, die sie betreiben.',
      },
      'not-found': {
        title: 'Hier ist keine Seite',
        detail:
          'Die Adresse ist vielleicht falsch geschrieben oder veraltet. Bitte gehen Sie dorthin zurück, woher Sie kamen. Ihre eigenen Seiten sind unter „/account“.',
      },
      denied: {
        title: 'Die Anfrage wurde abgelehnt',
        detail: 'Es wurde nichts signiert. Sie können zur Anwendung zurückkehren.',
      },
      unavailable: {
        title: 'Derzeit nicht verfügbar',
        detail:
          'Dieser Dienst ist ausgelastet oder wird gewartet. Es geht nichts verloren: Bitte laden Sie diese Seite in einigen Minuten noch einmal.',
      },
      failure: {
        title: 'Etwas ist schiefgegangen',
        detail:
          'Der Fehler liegt bei uns. Bitte versuchen Sie es noch einmal; tritt er wieder auf, wenden Sie sich an Ihren Signaturdienst.',
      },
    },
  },
}

const en = { ...PAGE_MESSAGES.en, ...ownEn }
const de = { ...PAGE_MESSAGES.de, ...ownDe }

/** The texts of the authorization server's pages, those they share with others among them. */
export type Messages = typeof en

const MESSAGES: Record<Language, Messages> = { en, de }

export function messagesOf(view: PageView): Messages {
  return MESSAGES[view.lang]
}
