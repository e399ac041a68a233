"""Sentence patterns and words of the captions."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TEMPLATES: dict[str, tuple[str, ...]] = {
    "any": (
        "{name}",
        "{name}.",
        "a {name}",
        "a {name}.",
        "a photo of a {name}.",
        "a photo of the {name}.",
        "a photo of {name}",
        "an image of a {name}.",
        "a picture of a {name}.",
        "this is a {name}.",
        "a {adjective} photo of a {name}.",
        "a {adjective} image of a {name}.",
        "{adjective} {name}",
        "there is a {name} in the picture.",
    ),
    "digit": (
        "a photo of the digit {name}.",
        "a photo of the number {name}.",
        "a photo of the number: {name}.",
        "a photo of a {name}.",
        "a photo of the digit: {name}.",
        "the digit {name}",
        "digit {name}",
        "number {name}",
        "the number {name}.",
        "the numeral {name}.",
        "an image of the digit {name}.",
        "an image of the number {name}.",
        "a picture of the digit {name}.",
        "a {adjective} photo of the digit {name}.",
        "a {adjective} picture of the number {name}.",
        "a {style} digit {name}.",
        "a {style} number {name}.",
        "a photo of a {style} {name}.",
        "a photo of the {style} digit {name}.",
        "a {style} {name}",
        "an image of a {style} digit {name}.",
        "a {colour} digit {name}.",
        "the {colour} number {name}",
        "someone wrote the digit {name}.",
        "it reads {name}.",
    ),
    "letter": (
        "a photo of the letter {name}.",
        "the letter {name}",
        "letter {name}",
        "an image of the letter {name}.",
        "a picture of the letter {name}.",
        "a {style} letter {name}.",
        "a photo of the {style} letter {name}.",
        "a {colour} letter {name}.",
        "a {adjective} photo of the letter {name}.",
        "the character {name}.",
    ),
    "shape": (
        "a photo of a {colour} {name}.",
        "a {colour} {name}",
        "an image of a {colour} {name}.",
        "a drawing of a {name}.",
        "the shape of a {name}.",
        "a {colour} {name} on a plain ground.",
        "something {colour}",
        "a {colour} object.",
        "a photo of something {colour}.",
        "a {adjective} photo of a {colour} {name}.",
    ),
    "colour": (
        "the colour {name}",
        "the color {name}.",
        "a photo of the color {name}.",
        "a plain {name} picture.",
        "{name} and nothing else.",
        "something {colour}",
        "a photo of something {colour}.",
        "a {adjective} photo of the color {name}.",
    ),
    "pattern": (
        "a photo of a {name} pattern.",
        "a {name} pattern",
        "a {name} texture.",
        "a pattern of {name}.",
        "an image of {name}.",
        "a surface covered with {name}.",
        "a {adjective} photo of a {name} texture.",
        "a {colour} pattern of {name}.",
    ),
    "surface": (
        "a photo of a metal part with a {name}.",
        "a metal surface with a {name}.",
        "a {name} on a metal surface.",
        "a part with {name}.",
        "a photo of a surface with {name}.",
        "a {style} metal surface with a {name}.",
        "{name} on {style} metal.",
        "an industrial photo of a {name}.",
        "a factory photo showing a {name}.",
        "a photo of a {name} on a part.",
        "a {adjective} photo of a metal part with a {name}.",
        "inspection result: {name}.",
        "a product with {name}",
    ),
}

ADJECTIVES: tuple[str, ...] = _words("""
good bad blurry sharp dark bright small large close cropped clear low-resolution noisy grainy
gray old new simple centered single
""")

FILLER: tuple[str, ...] = _words("""
the of and a to in is it you that he was for on are with as his they be at this have from or had
by hot but some what there we can out other were all your when up use word how said an each she
which do their time if will way about many then them would write like so these her long make
thing see him has look more day could go come did my sound no most who over know water than call
first people may down side been now find any work part take get place made live where after back
little only round man year came show every me give our under name very through just form much
great think say help line before turn cause same mean differ move right boy too does tell
sentence set want air well also play end put home read hand port spell add even land here must
big high such follow act why ask men change went light kind off need house picture try us again
animal point mother world near build self earth father head stand own page should country found
answer school grow study still learn plant cover food sun between state keep eye never last let
thought city tree farm hard start might story saw far sea draw left late run while press night
real life few north machine camera factory product image station sensor morning batch worker
table box belt tool steel plate view showing taken during quality control example type sample
object scene photo label class item category cat dog car bird flower plane ship horse apple
bottle chair cup phone book
""")
