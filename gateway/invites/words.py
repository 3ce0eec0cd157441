"""What mails and calendar entries say, in each language.

Braces are filled by :meth:`str.format`; what people typed is only ever filled in,
never a pattern itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    """One language's.

    ``{guest}``, ``{host}``, ``{company}``, ``{subject}``: names; ``{minutes}``: how
    early guests may come in. ``host_of`` is the subject of ``invitation`` and
    ``cancellation`` where the company has a name.
    """

    invitation_subject: str
    change_subject: str
    cancellation_subject: str
    hello: str
    host_of: str
    invitation: str
    change: str
    cancellation: str
    when: str
    message: str
    link: str
    button: str
    nothing_needed: str
    early: str
    private: str
    questions: str
    regret: str
    see_you: str
    calendar: str


_WORDS: dict[str, Words] = {
    "en": Words(
        invitation_subject="Video call: {subject}",
        change_subject="Changed: {subject}",
        cancellation_subject="Cancelled: {subject}",
        hello="Hello {guest},",
        host_of="{host} of {company}",
        invitation="{host} would like to meet you in a video call:",
        change="Something about your video call with {host} has changed. It is now:",
        cancellation="{host} has cancelled this video call:",
        when="When:",
        message="A word from {host}:",
        link="When it is time, open this link:",
        button="Join the video call",
        nothing_needed="It works in your browser: no account, nothing to install.",
        early="You are welcome from {minutes} minutes before the start.",
        private="The link is yours alone; please do not pass it on.",
        questions="Any questions? Just reply to this e-mail.",
        regret="You need not do anything. The link no longer works.",
        see_you="See you soon!",
        calendar="Video call with {host}. Join here:",
    ),
    "de": Words(
        invitation_subject="Videogespräch: {subject}",
        change_subject="Geändert: {subject}",
        cancellation_subject="Abgesagt: {subject}",
        hello="Guten Tag {guest},",
        host_of="{host} von {company}",
        invitation="{host} lädt Sie zu einem Videogespräch ein:",
        change="zu Ihrem Videogespräch mit {host} hat sich etwas geändert. Jetzt gilt:",
        cancellation="{host} hat dieses Videogespräch abgesagt:",
        when="Wann:",
        message="{host} schreibt Ihnen dazu:",
        link="Öffnen Sie zur vereinbarten Zeit diesen Link:",
        button="Am Videogespräch teilnehmen",
        nothing_needed="Ihr Browser genügt: kein Konto, keine Installation.",
        early="Sie sind schon {minutes} Minuten vor Beginn willkommen.",
        private="Der Link ist nur für Sie; bitte geben Sie ihn nicht weiter.",
        questions="Haben Sie Fragen? Antworten Sie einfach auf diese E-Mail.",
        regret="Sie müssen nichts weiter tun. Der Link gilt nicht mehr.",
        see_you="Bis bald!",
        calendar="Videogespräch mit {host}. Hier geht es zum Gespräch:",
    ),
    "es": Words(
        invitation_subject="Videollamada: {subject}",
        change_subject="Cambio: {subject}",
        cancellation_subject="Cancelada: {subject}",
        hello="Hola, {guest}:",
        host_of="{host}, de {company},",
        invitation="{host} le invita a una videollamada:",
        change="Hay un cambio en su videollamada con {host}. Ahora queda así:",
        cancellation="{host} ha cancelado esta videollamada:",
        when="Cuándo:",
        message="Mensaje de {host}:",
        link="Cuando llegue la hora, abra este enlace:",
        button="Unirse a la videollamada",
        nothing_needed="Basta con su navegador: sin cuenta y sin instalar nada.",
        early="Puede entrar desde {minutes} minutos antes.",
        private="El enlace es solo para usted; por favor, no lo comparta.",
        questions="¿Alguna pregunta? Responda a este correo.",
        regret="No tiene que hacer nada. El enlace ya no funciona.",
        see_you="¡Hasta pronto!",
        calendar="Videollamada con {host}. Únase aquí:",
    ),
    "fr": Words(
        invitation_subject="Appel vidéo : {subject}",
        change_subject="Modifié : {subject}",
        cancellation_subject="Annulé : {subject}",
        hello="Bonjour {guest},",
        host_of="{host}, de {company},",
        invitation="{host} vous invite à un appel vidéo :",
        change="Votre appel vidéo avec {host} a été modifié. Voici ce qui est prévu :",
        cancellation="{host} a annulé cet appel vidéo :",
        when="Quand :",
        message="Un mot de {host} :",
        link="Le moment venu, ouvrez ce lien :",
        button="Rejoindre l’appel vidéo",
        nothing_needed="Votre navigateur suffit : ni compte, ni installation.",
        early="Vous pouvez entrer {minutes} minutes avant le début.",
        private="Ce lien est personnel ; merci de ne pas le transmettre.",
        questions="Une question ? Répondez simplement à cet e-mail.",
        regret="Vous n’avez rien à faire. Le lien ne fonctionne plus.",
        see_you="À bientôt !",
        calendar="Appel vidéo avec {host}. Pour le rejoindre :",
    ),
}

WORDS: Mapping[str, Words] = MappingProxyType(_WORDS)
LANGUAGES = frozenset(WORDS)
