<?php
// Feeds the document's PHP receiver: `php.php receiver.php`, vectors on stdin, the events it gave on stdout.
require $argv[1];

$judged = function (array $vector): ?array {
    try {
        return verified($vector['secret'], $vector['headers'], $vector['body']);
    } catch (Exception) {
        return null;
    }
};

echo json_encode(array_map($judged, json_decode(stream_get_contents(STDIN), true)));
