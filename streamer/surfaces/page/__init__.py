"""The page: the instrument in a browser.

It is a process of its own and, to the instrument, one more client over OSC: nothing that many browsers ask for can
touch the music. `link` speaks OSC with the instrument, `app` speaks HTTP and WebSocket with browsers.
"""
