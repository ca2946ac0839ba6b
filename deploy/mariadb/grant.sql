GRANT ALL ON *.* TO 'chappe'@'%';
