"""One utterance by eSpeak NG, in a separate process.

The reason for the process: the library keeps its synthesiser's state in static variables, so it is neither
thread-safe nor reproducible (a second call with the same text gives different samples, even after
`espeak_Terminate`). A fresh process costs about 20 ms, always starts from the same state, and cannot crash
the server. It is run as a script without the `site` module, and imports only `ctypes`.

Arguments: library, data folder, voice, words per minute, pitch (0 to 99), pitch range (0 to 99). Standard
input: the text, UTF-8. Standard output: the sample rate as four bytes (little endian), then 16-bit mono
samples in the machine's byte order.
"""

import ctypes
import sys

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: the callback gets the samples before espeak_Synth returns
_UTF8 = 1  # espeakCHARS_UTF8
_RATE, _PITCH, _RANGE = 1, 3, 4  # of enum espeak_PARAMETER


def say(
    library: str, data: str, voice: str, rate: int, pitch: int, spread: int, text: str
) -> tuple[int, bytes]:
    """Return the sample rate and the samples of `text`. Raises `RuntimeError` if the library fails."""
    espeak = ctypes.CDLL(library)
    samples = bytearray()
    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

    def collect(wave: int | None, count: int, _events: int | None) -> int:
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, count * 2))
        return 0

    callback = callback_type(collect)
    sample_rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0)
    if sample_rate <= 0:
        raise RuntimeError(f"eSpeak NG found no voices in {data}")
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"eSpeak NG has no voice {voice!r}")
    for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, spread)):
        espeak.espeak_SetParameter(parameter, value, 0)
    utterance = text.encode() + b"\0"
    status = espeak.espeak_Synth(utterance, ctypes.c_size_t(len(utterance)), 0, 0, 0, _UTF8, None, None)
    if status != 0:
        raise RuntimeError(f"eSpeak NG could not speak (status {status})")
    espeak.espeak_Synchronize()
    return sample_rate, bytes(samples)


def main() -> None:
    library, data, voice, rate, pitch, spread = sys.argv[1:]
    text = sys.stdin.buffer.read().decode()
    sample_rate, samples = say(library, data, voice, int(rate), int(pitch), int(spread), text)
    sys.stdout.buffer.write(sample_rate.to_bytes(4, "little") + samples)


if __name__ == "__main__":
    main()
